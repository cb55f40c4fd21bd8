//! Environment variables to settings, all problems at once. An address is never repeated: it may hold a secret.

use serde_json::{Value, json};

use super::address::Address;
use super::environment::detect;
use super::parse::{Checked, Problems, check_text};

pub mod table;

pub use table::AUTH_TOKEN;
use table::{APPROVAL, DATABASE_URL, DATABASE_URL_ELSE, VARIABLES};

/// Workers count six connections that wait for their headers; a seventh waits inside the runtime.
const CONNECTIONS_MAX: u32 = 6;

/// All that the Worker is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the database is.
    pub address: Address,
    /// The settings as JSON text, to be changed while it runs.
    pub raw: String,
    /// The same, checked.
    pub checked: Checked,
}

/// Reads the variables that `read` finds; an empty one counts as not set. `has_near` says that hints are shared near by as
/// well.
///
/// # Errors
///
/// One sentence for each variable that is missing or cannot be used.
pub fn read(read: impl Fn(&str) -> Option<String>, has_near: bool) -> Result<Settings, String> {
    let read = |name: &str| read(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let mut problems = Vec::new();
    let mut address = None;
    match [DATABASE_URL, DATABASE_URL_ELSE].into_iter().find_map(|name| Some((name, read(name)?))) {
        Some((name, url)) => match address_of(&url) {
            Ok(found) => address = Some(found),
            Err(why) => problems.push(format!("{name} {why}.")),
        },
        None => {
            problems.push(format!("{DATABASE_URL} is not set. Set it to the address of a libSQL database, libsql://…"))
        }
    }
    let needs_token = address.as_ref().is_some_and(Address::is_remote);
    if needs_token && read(AUTH_TOKEN).is_none() {
        problems.push(format!("{AUTH_TOKEN} is not set. A remote database needs a token."));
    }
    let mut given = given(read);
    given.push(json!(["environment", "deployed Worker", "production"]));
    let raw = json!({
        "given": given,
        "state": { "near": has_near },
        "platform": {
            "isProduction": true,
            "isPolling": true,
            "connectionsMax": CONNECTIONS_MAX,
            "database": address.as_ref().map_or("", |address| &address.name),
        },
    })
    .to_string();
    let checked = check_text(&raw);
    if let Err(Problems(found)) = &checked {
        problems.extend(found.iter().map(|problem| format!("{problem}.")));
    }
    match (address, checked) {
        (Some(address), Ok(checked)) if problems.is_empty() => Ok(Settings { address, raw, checked }),
        _ => Err(problems.join(" ")),
    }
}

/// What the variables say, as the parser takes it: path, variable, text. A bare number gets the variable's unit.
pub fn given(read: impl Fn(&str) -> Option<String>) -> Vec<Value> {
    let mut given = Vec::new();
    for variable in VARIABLES {
        let text = if variable.of == "environment" { detect(&read) } else { read(variable.name) };
        let Some(mut text) = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) else { continue };
        if text.ends_with(|last: char| last.is_ascii_digit()) {
            text.push_str(variable.unit);
        }
        given.push(json!([variable.of, variable.name, text]));
    }
    given
}

/// The text of the variable that approves a migration of production, if it is set.
pub fn approval(read: impl Fn(&str) -> Option<String>) -> Option<String> {
    read(APPROVAL)
}

/// Reads a database's address.
///
/// `libsql:` and `wss:` mean `https:`, `ws:` means `http:`; `?tls=0` takes the encryption away from `libsql:`.
fn address_of(url: &str) -> Result<Address, &'static str> {
    let (scheme, rest) = url.split_once("://").ok_or("is not a URL: it must begin with libsql:// or https://")?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let is_encrypted = match (scheme.to_ascii_lowercase().as_str(), query) {
        ("libsql" | "wss" | "https", "") | ("libsql", "tls=1") => true,
        ("http" | "ws", "") | ("libsql", "tls=0") => false,
        ("libsql" | "wss" | "https" | "http" | "ws", _) => {
            return Err("has a query; only ?tls=0 or ?tls=1 after libsql:// is understood");
        }
        ("file", _) => return Err("is a file: a Worker can only reach a database over the network"),
        _ => return Err("has a scheme other than libsql, https, http, wss and ws"),
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if host.contains('@') {
        return Err("holds credentials; put the token into TURSO_AUTH_TOKEN instead");
    }
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'\\' | b'"' | b'<' | b'>');
    if host.is_empty() || !rest.bytes().all(is_plain) {
        return Err("is not the URL of a host");
    }
    let (scheme, default_port) = if is_encrypted { ("https", ":443") } else { ("http", ":80") };
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(default_port).unwrap_or(&host);
    let name = if path == "/" { host.to_owned() } else { format!("{host}{path}") };
    Ok(Address { base_url: format!("{scheme}://{host}{}", path.trim_end_matches('/')), name })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let pairs = [pairs, &[(AUTH_TOKEN, "a token")]].concat();
        read(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()), false)
    }

    #[test]
    fn the_address_is_understood_as_by_the_client() {
        let table = [
            ("libsql://Db-Org.turso.io", "https://db-org.turso.io", "db-org.turso.io"),
            ("libsql://db.turso.io:443/", "https://db.turso.io", "db.turso.io"),
            ("libsql://127.0.0.1:8080?tls=0", "http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("https://gateway/db/one/", "https://gateway/db/one", "gateway/db/one/"),
            ("ws://localhost:80", "http://localhost", "localhost"),
            ("wss://x", "https://x", "x"),
        ];
        for (url, base_url, name) in table {
            let expected = Address { base_url: base_url.to_owned(), name: name.to_owned() };
            assert_eq!(address_of(url), Ok(expected), "{url}");
        }
    }

    #[test]
    fn a_store_near_by_is_the_host_s_to_say() {
        let with = |has_near| read(|name| (name == DATABASE_URL).then(|| "http://db".to_owned()), has_near).unwrap();
        assert!(with(true).checked.config.sync.has_near);
        assert!(!with(false).checked.config.sync.has_near);
    }

    #[test]
    fn an_address_that_makes_no_sense_is_refused_without_repeating_it() {
        let long = [
            "libsql://user:secret@db.turso.io",
            "https://db?authToken=secret",
            "file:secret.db",
            "secret",
            "libsql://",
        ];
        for url in long.into_iter().chain(["file://secret", "mysql://secret", "https://se cret", "https://secret#x"]) {
            let problem = with(&[(DATABASE_URL, url)]).unwrap_err();
            assert!(problem.starts_with(DATABASE_URL) && !problem.contains("secret"), "{url}: {problem}");
        }
    }

    #[test]
    fn a_missing_address_is_named() {
        for pairs in [&[][..], &[(DATABASE_URL, "  ")]] {
            assert!(with(pairs).unwrap_err().starts_with("TURSO_DATABASE_URL is not set."));
        }
    }

    #[test]
    fn variables_become_settings() {
        let settings = with(&[
            (DATABASE_URL, "libsql://db"),
            ("DB_MAX_CONNECTIONS", "4"),
            ("DB_ACQUIRE_TIMEOUT", "250"),
            ("CB_FAILURE_THRESHOLD", "7"),
            ("CB_RECOVERY_TIMEOUT", "2000"),
            ("DB_HEALTH_CHECK_INTERVAL", "5000"),
        ])
        .unwrap();
        assert_eq!(
            (settings.checked.config.pool.leases_max, settings.checked.config.pool.acquire_timeout_ms),
            (4, 250)
        );
        assert_eq!(
            (settings.checked.config.breaker.failures_max, settings.checked.config.breaker.open.initial_ms),
            (7, 2_000)
        );
        assert!(settings.checked.config.pool.is_polling);
        assert_eq!(settings.checked.config.health_check_interval_ms, 5_000);
    }

    #[test]
    fn defaults_follow_the_environment_and_never_pass_the_platforms_bound() {
        let leases = |pairs: &[(&str, &str)]| {
            let mut all = vec![(DATABASE_URL, "libsql://db")];
            all.extend(pairs);
            with(&all).unwrap().checked.config.pool.leases_max
        };
        assert_eq!(leases(&[]), 5);
        assert_eq!(leases(&[("ENVIRONMENT", "development")]), 2);
        assert_eq!(leases(&[("DB_MAX_CONNECTIONS", "50")]), 6);
    }

    /// CB-25: the breaker is turned off by a variable, under either of its names.
    #[test]
    fn a_variable_turns_the_breaker_off() {
        let with = |pairs: &[(&str, &str)]| {
            let url = [(DATABASE_URL, "https://a.example")];
            with(&[&url, pairs].concat()).map(|settings| settings.checked.config.breaker.failures_max)
        };
        for name in ["ENABLE_CIRCUIT_BREAKER", "DB_CIRCUIT_BREAKER"] {
            assert_eq!(with(&[(name, "false")]), Ok(0));
            assert_eq!(with(&[(name, "1")]), Ok(5));
            assert!(with(&[(name, "perhaps")]).unwrap_err().contains("true or false"));
        }
    }

    #[test]
    fn every_problem_is_told_at_once_by_the_name_of_its_variable() {
        let problem =
            with(&[("DB_MAX_CONNECTIONS", "0"), ("DB_ACQUIRE_TIMEOUT", "soon"), ("DB_HEALTH_CHECK_INTERVAL", "1")])
                .unwrap_err();
        for variable in ["TURSO_DATABASE_URL", "DB_MAX_CONNECTIONS (", "DB_ACQUIRE_TIMEOUT (", "DB_HEALTH_CHECK_"] {
            assert!(problem.contains(variable), "{variable}: {problem}");
        }
    }
}
