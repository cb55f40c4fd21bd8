//! What an isolate keeps between exchanges, so that it can answer operators and their tools.
//!
//! It joins the rooms that make documents and those that judge them. What only the host can do it asks for, as a route
//! does: see `http::exchange`.

use serde::Deserialize;

/// One isolate's memory of what it watches.
#[derive(Debug, Default)]
pub struct Monitor {
    settings: Settings,
}

/// What the host was told about it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// The routes lie under this path: empty, or a path that begins with a slash and does not end with one.
    pub base_path: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { base_path: "/api".to_owned() }
    }
}

impl Monitor {
    /// Watches nothing yet.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// What the host was told.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }
}
