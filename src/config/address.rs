//! Where a database is, as an address without secrets.

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `http:` or `https:`, without a slash at the end, a query or credentials.
    pub base_url: String,
    /// Host and path: names the database in the shared state.
    pub name: String,
}

impl Address {
    /// Whether it is reached over the network with encryption, so that there must be a token.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        let Some(rest) = self.base_url.strip_prefix("https://") else { return false };
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        host != "localhost" && !host.starts_with("127.") && !rest.starts_with("[::1]")
    }
}
