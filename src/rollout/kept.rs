//! The text that is kept of a deployment, with a checksum: what was damaged, or put there by somebody who does not know the rules,
//! is refused, and not gone on with.
//!
//! ```json
//! {"sha256":"4f9c…","deployment":{"revision":7,"fence":3, …}}
//! ```

use super::deployment::Deployment;
use crate::audit::sha256;

/// Longest text, in bytes.
pub const KEPT_MAX: usize = 1_500_000;

const BEFORE_CHECKSUM: &str = r#"{"sha256":""#;
const AFTER_CHECKSUM: &str = r#"","deployment":"#;
const END: &str = "}";

/// Why a text is no deployment that may be gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unkept {
    /// It is not of the form, or of another release's.
    Form,
    /// It is not the text that was written.
    Checksum,
    /// It was written so, and contradicts itself.
    Contradicts(&'static str),
}

impl std::fmt::Display for Unkept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Form => f.write_str("The record of the deployment cannot be read."),
            Self::Checksum => f.write_str("The record of the deployment is not the one that was written."),
            Self::Contradicts(problem) => write!(f, "The record of the deployment contradicts itself: {problem}."),
        }?;
        f.write_str(" It is not gone on with, and nothing was changed.")
    }
}

impl std::error::Error for Unkept {}

impl Deployment {
    /// What is kept of it; none if that would be longer than [`KEPT_MAX`], with which it must not begin.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let deployment = serde_json::to_string(self).ok()?;
        let text = [BEFORE_CHECKSUM, &sha256(&deployment), AFTER_CHECKSUM, &deployment, END].concat();
        (text.len() <= KEPT_MAX).then_some(text)
    }

    /// Reads what [`text`](Self::text) has made.
    ///
    /// # Errors
    ///
    /// [`Unkept`], for everything else.
    pub fn read(text: &str) -> Result<Self, Unkept> {
        let rest = text.strip_prefix(BEFORE_CHECKSUM).filter(|_| text.len() <= KEPT_MAX).ok_or(Unkept::Form)?;
        let (checksum, rest) = rest.split_once(AFTER_CHECKSUM).ok_or(Unkept::Form)?;
        let deployment = rest.strip_suffix(END).ok_or(Unkept::Form)?;
        if sha256(deployment) != checksum {
            return Err(Unkept::Checksum);
        }
        let deployment: Self = serde_json::from_str(deployment).map_err(|_| Unkept::Form)?;
        deployment.problem().map_or(Ok(deployment), |problem| Err(Unkept::Contradicts(problem)))
    }
}
