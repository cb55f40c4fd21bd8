//! Whether a migration may change the database of this environment.

/// Why a migration must not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotApproved;

impl std::fmt::Display for NotApproved {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(
            "A migration of production needs PRODUCTION_MIGRATION_APPROVED=true, exactly. Nothing was changed. \
             A dry run needs no approval.",
        )
    }
}

impl std::error::Error for NotApproved {}

/// Decides it: outside of production always; there only for the exact text `true`, or when nothing will be changed.
///
/// # Errors
///
/// [`NotApproved`], before anything was changed.
pub fn approve(environment: &str, approved: Option<&str>, is_dry_run: bool) -> Result<(), NotApproved> {
    if environment == "production" && !is_dry_run && approved != Some("true") { Err(NotApproved) } else { Ok(()) }
}
