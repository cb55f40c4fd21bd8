//! One request to a line of the table, once it is known who sends it.

use super::exchange::Cx;
use super::{Request, idempotency};
use crate::access::Principal;

/// A request, what its path names, and who sends it.
#[derive(Clone, Debug)]
pub struct Call {
    /// The request.
    pub request: Request,
    /// What the path has where the table has braces.
    pub rest: String,
    /// Who sends it; nobody where anybody may.
    pub principal: Principal,
    /// What says that it was sent before.
    pub idempotency: Option<idempotency::Key>,
    /// The number of the request, for records and for whoever asks about it.
    pub id: u64,
    /// Where it came from, as a digest for records: see [`address_digest`](super::auth::address_digest).
    pub address: Option<String>,
}

impl Call {
    /// A request to a path that anybody may ask.
    pub(super) fn open(request: &Request, rest: &str) -> Self {
        Self {
            request: request.clone(),
            rest: rest.to_owned(),
            principal: Principal::default(),
            idempotency: None,
            id: 0,
            address: None,
        }
    }

    /// Its number, as it is shown.
    #[must_use]
    pub fn id_text(&self) -> String {
        id_text(self.id)
    }
}

/// A number for the request that comes in: chance.
pub(super) const fn id_of(cx: &Cx<'_>) -> u64 {
    // Other uses of the same chance, such as an order's own number, must not show it.
    cx.random.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// 16 hexadecimal digits.
pub(super) fn id_text(id: u64) -> String {
    format!("{id:016x}")
}
