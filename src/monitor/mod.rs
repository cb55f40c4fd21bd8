//! What an isolate keeps between exchanges, so that it can answer operators and their tools.
//!
//! It joins the rooms that make documents and those that judge them. What only the host can do it asks for, as a route
//! does: see `http::exchange`.

pub mod admin_requests;

use serde::Deserialize;

use self::admin_requests::AdminRequests;
use crate::http::auth::Access;
use crate::orders::seen::Seen;

/// One isolate's memory of what it watches.
#[derive(Debug, Default)]
pub struct Monitor {
    settings: Settings,
    admin_requests: AdminRequests,
    orders: Seen,
}

/// What the host was told about it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// The routes lie under this path: empty, or a path that begins with a slash and does not end with one.
    pub base_path: String,
    /// What lets into the admin routes; nothing by default.
    pub admin_token: Access,
}

impl Default for Settings {
    fn default() -> Self {
        Self { base_path: "/api".to_owned(), admin_token: Access::default() }
    }
}

impl Monitor {
    /// Watches nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// What the host was told.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How the admin routes answered.
    #[must_use]
    pub const fn admin_requests(&self) -> &AdminRequests {
        &self.admin_requests
    }

    /// How the admin routes answered, to be counted.
    pub(crate) const fn admin_requests_mut(&mut self) -> &mut AdminRequests {
        &mut self.admin_requests
    }

    /// What was seen of the orders.
    pub const fn orders_mut(&mut self) -> &mut Seen {
        &mut self.orders
    }
}
