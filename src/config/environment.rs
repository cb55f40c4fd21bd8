//! Which environment this is, from what hosts set. The npm package has the same table in `js/src/config/environment.ts`;
//! `tests/conformance/environments.json` holds both to it.
//!
//! `ENVIRONMENT` wins; then tests (`NODE_ENV=test`, `VITEST`); then Vercel's `VERCEL_ENV`; then Netlify's `CONTEXT`, where
//! every deployment that is not production is a preview; then `NODE_ENV`. Where nothing says anything, a deployed Worker
//! is production and anything else is development.

/// The environment's name, or `None` when no variable tells. A name that is none comes back as it is.
pub fn detect(read: impl Fn(&str) -> Option<String>) -> Option<String> {
    let read = |name: &str| read(name).map(|value| value.trim().to_lowercase()).filter(|value| !value.is_empty());
    if let Some(named) = read("ENVIRONMENT") {
        return Some(if named == "staging" { "preview".to_owned() } else { named });
    }
    let node = read("NODE_ENV");
    if node.as_deref() == Some("test") || read("VITEST").is_some_and(|value| value != "false" && value != "0") {
        return Some("test".to_owned());
    }
    let on_netlify = || read("NETLIFY").and_then(|_| read("CONTEXT"));
    let known = match (read("VERCEL_ENV").or_else(on_netlify).as_deref(), node.as_deref()) {
        (Some("production"), _) | (None, Some("production")) => "production",
        (Some("development" | "dev"), _) | (None, Some("development")) => "development",
        (Some(_), _) | (None, Some("preview" | "staging")) => "preview",
        _ => return None,
    };
    Some(known.to_owned())
}
