//! Environment variables to settings, all problems at once. Values are never repeated: one of them is a secret.

use serde_json::{Map, Value, json};

use super::Config;
use super::parse;
use crate::clock::Millis;

/// The variable that names the database.
pub const DATABASE_URL: &str = "TURSO_DATABASE_URL";
/// The variable that holds the token; a secret.
pub const AUTH_TOKEN: &str = "TURSO_AUTH_TOKEN";
/// The variable that says how often a scheduled check asks the database.
const HEALTH_CHECK_INTERVAL: &str = "DB_HEALTH_CHECK_INTERVAL";
const HEALTH_CHECK_INTERVAL_DEFAULT_MS: Millis = 30_000;
/// The variable that names the environment: `production`, unless it says something else.
const ENVIRONMENT: &str = "ENVIRONMENT";

/// Workers count six connections that wait for their headers; a seventh waits inside the runtime.
const CONNECTIONS_MAX: u32 = 6;

/// Which variable sets which setting.
const SETTINGS: [(&str, &str, &str); 6] = [
    ("ENABLE_CIRCUIT_BREAKER", "circuitBreaker", "enabled"),
    ("DB_CIRCUIT_BREAKER", "circuitBreaker", "enabled"),
    ("DB_MAX_CONNECTIONS", "connectionPool", "maxConnections"),
    ("DB_ACQUIRE_TIMEOUT", "connectionPool", "acquireTimeout"),
    ("CB_FAILURE_THRESHOLD", "circuitBreaker", "failureThreshold"),
    ("CB_RECOVERY_TIMEOUT", "circuitBreaker", "recoveryTimeout"),
];

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `http:` or `https:`, without a slash at the end, a query or credentials.
    pub base_url: String,
    /// Host and path: names the database in the shared state.
    pub name: String,
}

/// All that the Worker is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where the database is.
    pub address: Address,
    /// The policies' settings.
    pub config: Config,
    /// From what age on a scheduled check asks the database again, in milliseconds.
    pub health_check_interval_ms: Millis,
}

/// Reads the variables that `read` finds; an empty one counts as not set. `has_near` says that hints are shared near by as
/// well.
///
/// # Errors
///
/// One sentence for each variable that is missing or cannot be used, without its value.
pub fn read(read: impl Fn(&str) -> Option<String>, has_near: bool) -> Result<Settings, String> {
    let read = |name: &str| read(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let mut problems = Vec::new();
    let mut keep = |problem: String| problems.push(problem);

    let address = match read(DATABASE_URL) {
        Some(url) => address(&url).map_err(|why| keep(format!("{DATABASE_URL} {why}."))).ok(),
        None => {
            keep(format!("{DATABASE_URL} is not set. Set it to the address of a libSQL database, libsql://…"));
            None
        }
    };
    let interval = match read(HEALTH_CHECK_INTERVAL) {
        Some(text) => whole(&text).filter(|ms| (1_000..=86_400_000).contains(ms)).unwrap_or_else(|| {
            keep(format!("{HEALTH_CHECK_INTERVAL} must be a whole number of milliseconds from 1000 to 86400000."));
            HEALTH_CHECK_INTERVAL_DEFAULT_MS
        }),
        None => HEALTH_CHECK_INTERVAL_DEFAULT_MS,
    };
    let mut settings = Map::new();
    for (variable, group, name) in SETTINGS {
        let Some(text) = read(variable) else { continue };
        let (value, must_be) = match name {
            "enabled" => (switch(&text).map(Value::from), "true or false"),
            _ => (whole(&text).map(Value::from), "a whole number"),
        };
        let group = settings.entry(group).or_insert_with(|| json!({}));
        match value {
            Some(value) if group[name].is_null() || group[name] == value => group[name] = value,
            Some(_) => keep(format!("{variable} says something else than another variable for the same setting.")),
            None => keep(format!("{variable} must be {must_be}.")),
        }
    }
    settings.insert("state".to_owned(), json!({ "near": has_near }));
    settings.insert(
        "platform".to_owned(),
        json!({
            "isProduction": read(ENVIRONMENT).is_none_or(|name| name == "production"),
            "isPolling": true,
            "connectionsMax": CONNECTIONS_MAX,
            "database": address.as_ref().map_or("", |address| &address.name),
        }),
    );
    let config = parse::parse(&Value::Object(settings).to_string())
        .map_err(|found| found.0.into_iter().map(named_by_variable).for_each(&mut keep))
        .ok();
    match (address, config) {
        (Some(address), Some(config)) if problems.is_empty() => {
            Ok(Settings { address, config, health_check_interval_ms: interval })
        }
        _ => Err(problems.join(" ")),
    }
}

fn whole(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// The parser names a setting by its path; who sets variables knows it by another name.
fn named_by_variable(problem: String) -> String {
    let variable = SETTINGS.iter().find(|(_, group, name)| problem.starts_with(&format!("{group}.{name} ")));
    match (variable, problem.split_once(' ')) {
        (Some((variable, ..)), Some((_, rest))) => format!("{variable} {rest}."),
        _ => format!("{problem}."),
    }
}

/// Reads a database's address.
///
/// `libsql:` and `wss:` mean `https:`, `ws:` means `http:`; `?tls=0` takes the encryption away from `libsql:`.
fn address(url: &str) -> Result<Address, &'static str> {
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
            assert_eq!(address(url), Ok(expected), "{url}");
        }
    }

    #[test]
    fn a_store_near_by_is_the_host_s_to_say() {
        let with = |has_near| read(|name| (name == DATABASE_URL).then(|| "libsql://db".to_owned()), has_near).unwrap();
        assert!(with(true).config.sync.has_near);
        assert!(!with(false).config.sync.has_near);
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
        assert_eq!((settings.config.pool.leases_max, settings.config.pool.acquire_timeout_ms), (4, 250));
        assert_eq!((settings.config.breaker.failures_max, settings.config.breaker.open.initial_ms), (7, 2_000));
        assert!(settings.config.pool.is_polling);
        assert_eq!(settings.health_check_interval_ms, 5_000);
    }

    #[test]
    fn defaults_follow_the_environment_and_never_pass_the_platforms_bound() {
        let leases = |pairs: &[(&str, &str)]| {
            let mut all = vec![(DATABASE_URL, "libsql://db")];
            all.extend(pairs);
            with(&all).unwrap().config.pool.leases_max
        };
        assert_eq!(leases(&[]), 5);
        assert_eq!(leases(&[("ENVIRONMENT", "development")]), 2);
        assert_eq!(leases(&[("DB_MAX_CONNECTIONS", "50")]), 6);
    }

    /// CB-25: the breaker is turned off by a variable, under either of its names; both must say the same.
    #[test]
    fn a_variable_turns_the_breaker_off() {
        let with = |pairs: &[(&str, &str)]| {
            let url = [(DATABASE_URL, "https://a.example")];
            with(&[&url, pairs].concat()).map(|settings| settings.config.breaker.failures_max)
        };
        for name in ["ENABLE_CIRCUIT_BREAKER", "DB_CIRCUIT_BREAKER"] {
            assert_eq!(with(&[(name, "false")]), Ok(0));
            assert_eq!(with(&[(name, "1")]), Ok(5));
            assert!(with(&[(name, "perhaps")]).unwrap_err().contains("true or false"));
        }
        let both = with(&[("ENABLE_CIRCUIT_BREAKER", "true"), ("DB_CIRCUIT_BREAKER", "false")]);
        assert!(both.unwrap_err().contains("DB_CIRCUIT_BREAKER"));
    }

    #[test]
    fn every_problem_is_told_at_once_by_the_name_of_its_variable() {
        let problem =
            with(&[("DB_MAX_CONNECTIONS", "0"), ("DB_ACQUIRE_TIMEOUT", "soon"), ("DB_HEALTH_CHECK_INTERVAL", "1")])
                .unwrap_err();
        for variable in ["TURSO_DATABASE_URL", "DB_MAX_CONNECTIONS must", "DB_ACQUIRE_TIMEOUT must", "DB_HEALTH_CHECK_"]
        {
            assert!(problem.contains(variable), "{variable}: {problem}");
        }
        assert!(!problem.contains("connectionPool") && !problem.contains("soon"));
    }
}
