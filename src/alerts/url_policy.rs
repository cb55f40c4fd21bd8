//! Where alerts may be sent: `https`, port 443, a public host by its full name, and nothing that two parsers could read
//! in two ways.
//!
//! The host's own `fetch` parses an address once more, with all that browsers forgive: `https:/\127.1`, full-width digits,
//! tabs, percent signs. So an address is taken only if it is spelt the plain way, in which all parsers agree, and what is
//! checked is the host that was parsed. Names in digits are no exception: every form of an IPv4 address ends in a label
//! that begins with a digit, and a public name never does.
//!
//! A name can still point to a private address. On Workers the flag `global_fetch_strictly_public` refuses that; elsewhere
//! name the hosts in `allowedHosts`.

/// Longest address, in bytes.
pub const URL_MAX: usize = 2_048;
/// Longest name of a host, and longest label of it, in bytes (RFC 1035).
const HOST_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// Names that are not public, with all below them: RFC 6761, RFC 8375, RFC 9476, and what clouds and routers use within.
const PRIVATE_ZONES: [&str; 20] = [
    "localhost",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "localdomain",
    "arpa",
    "test",
    "example",
    "invalid",
    "onion",
    "alt",
    "svc",
    "cluster",
    "consul",
    "docker",
    "kubernetes",
];

/// Public zones whose names spell private addresses.
const POINTING_ZONES: [&str; 8] =
    ["nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me", "vcap.me", "lacolhost.com", "traefik.me"];

/// An address that may be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The host, in small letters, without a port.
    pub host: &'a str,
    /// Path and query, or nothing.
    pub path: &'a str,
}

/// Why an address is refused. No text of the address is in it: an address of a webhook is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub &'static str);

/// Reads `url` and checks it: `allowed` are the only hosts if there are any, and `own` are never allowed.
///
/// # Errors
///
/// What is wrong with the address, without the address.
pub fn check<'a>(url: &'a str, allowed: &[String], own: &[String]) -> Result<Target<'a>, Refused> {
    let target = parse(url)?;
    if own.iter().any(|own| is_host(own, target.host)) {
        return Err(Refused("is on a host of this service itself, which would alert about its own alerts"));
    }
    if !allowed.is_empty() && !allowed.iter().any(|allowed| allowed == target.host) {
        return Err(Refused("is on a host that allowedHosts does not name"));
    }
    Ok(target)
}

/// Scheme and host of an address, which are no secret; empty for what is no address.
#[must_use]
pub fn origin(url: &str) -> String {
    parse(url).map(|target| format!("https://{}", target.host)).unwrap_or_default()
}

/// Whether `own`, a host with or without a port, is `host`.
fn is_host(own: &str, host: &str) -> bool {
    let own = own.rsplit_once(':').map_or(own, |(own, _)| own).trim_end_matches('.');
    own.eq_ignore_ascii_case(host)
}

fn parse(url: &str) -> Result<Target<'_>, Refused> {
    if url.len() > URL_MAX {
        return Err(Refused("is longer than 2048 bytes"));
    }
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Refused("has a blank, a control character or a letter outside of ASCII"));
    }
    let rest = url.strip_prefix("https://").ok_or(Refused("does not begin with https://"))?;
    if rest.bytes().any(|byte| b"\\#\"<>`{}|^".contains(&byte)) {
        return Err(Refused("has a backslash, a fragment or another character that parsers disagree on"));
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(Refused("has a user name or a password before its host"));
    }
    if authority.starts_with('[') {
        return Err(Refused("has an IPv6 address for a host; name the host"));
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    if port != "443" {
        return Err(Refused("has another port than 443"));
    }
    public_name(host)?;
    Ok(Target { host, path })
}

/// Checks that a host is a full name that anybody may have.
fn public_name(host: &str) -> Result<(), Refused> {
    if host.ends_with('.') {
        return Err(Refused("has a host with a dot at its end"));
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_MAX
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.is_empty() || host.len() > HOST_MAX || !host.split('.').all(is_label) {
        return Err(Refused("has a host that is no name in small letters, digits, hyphens and dots"));
    }
    let (_, last) = host.rsplit_once('.').ok_or(Refused("has a host without a dot, which is not public"))?;
    if last.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(Refused("has an IP address for a host; name the host"));
    }
    if PRIVATE_ZONES.contains(&last) {
        return Err(Refused("has a host that is not public"));
    }
    let is_below = |zone: &str| host.strip_suffix(zone).is_some_and(|above| above.is_empty() || above.ends_with('.'));
    if POINTING_ZONES.iter().any(|zone| is_below(zone)) {
        return Err(Refused("has a host that points to any address that its name spells"));
    }
    // Punycode of what looks like another name is not refused: only the owner of the address chooses it.
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What hostile input H120 lists, and its relatives.
    const PRIVATE_HOSTS: [&str; 58] = [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "127.0.0.1.",
        "①②⑦.⓪.⓪.①",
        "１２７.0.0.1",
        "127。0。0。1",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::7f00:1]",
        "[fe80::1]",
        "[fe80::1%25eth0]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[2002:7f00:1::]",
        "[2606:4700::1111]",
        "0.0.0.0",
        "0",
        "0x0",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "a.localhost",
        "localhost.localdomain",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "169.254.43518",
        "metadata.google.internal",
        "metadata.google.internal.",
        "metadata",
        "instance-data.ec2.internal",
        "kubernetes.default.svc",
        "redis.default.svc.cluster.local",
        "10.0.0.1",
        "10.255.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "255.255.255.255",
        "1.1.1.1",
        "127.0.0.1.nip.io",
        "sslip.io",
        "app.localtest.me",
        "1.0.0.127.in-addr.arpa",
        "%6c%6f%63alhost",
    ];

    /// H120: no form of a private host passes, whatever stands around it.
    #[test]
    fn no_form_of_a_private_host_passes() {
        for host in PRIVATE_HOSTS {
            for url in [format!("https://{host}"), format!("https://{host}/hook"), format!("https://{host}:443/?a=b")] {
                assert!(check(&url, &[], &[]).is_err(), "{url}");
                assert!(check(&url, &[host.to_owned()], &[]).is_err(), "a list does not allow it either: {url}");
            }
        }
    }

    /// H122: an address that pretends to be another host's is refused, and so are ports and fragments.
    #[test]
    fn what_pretends_to_be_another_host_is_refused() {
        let allowed = ["hooks.slack.com".to_owned()];
        for url in [
            "https://hooks.slack.com@evil.tld/",
            "https://hooks.slack.com:443@evil.tld/",
            "https://user:password@hooks.slack.com/",
            "https://@hooks.slack.com/",
            "https://hooks.slack.com.evil.tld",
            "https://evil-hooks.slack.com",
            "https://hooks.slack.com\\@evil.tld",
            "https://evil.tld\\.hooks.slack.com",
            "https:\\\\hooks.slack.com/",
            "https:/hooks.slack.com/",
            "https:hooks.slack.com/",
            "https:///hooks.slack.com/",
            "https:////hooks.slack.com/",
            "https://evil.tld#@hooks.slack.com",
            "https://evil.tld/#hooks.slack.com",
            "https://evil.tld?@hooks.slack.com",
            "https://evil.tld?https://hooks.slack.com/",
            "https://evil.tld/hooks.slack.com",
            "https://hooks.slack.com#",
            "https://hooks.slack.com:22/",
            "https://hooks.slack.com:25/",
            "https://hooks.slack.com:6379/",
            "https://hooks.slack.com:80/",
            "https://hooks.slack.com:0443/",
            "https://hooks.slack.com:/",
            "https://hooks.slack.com:443:443/",
            "https://hooks.slack.com:44 3/",
            "https://hooks.slack.com./",
            "https://hooks.slack.com../",
            "https://.hooks.slack.com/",
            "https://hooks..slack.com/",
            "https://HOOKS.slack.com/",
            "https://hooks.slack.com%2eevil.tld/",
            "https://hooks.slack.com%00.evil.tld/",
            "https://hooks.slack.com;evil.tld/",
            "https://hooks.slack.com,evil.tld/",
            "https://hooks.slack.com&evil.tld/",
            "https://hooks\t.slack.com/",
            "https://hooks.slack.com/\n",
            "https://hooks.slack.com/a b",
            " https://hooks.slack.com/",
            "\thttps://hooks.slack.com/",
            "https://ho\u{ad}oks.slack.com/",
            "https://hooks.slack.com/\u{202e}",
            "http://hooks.slack.com/",
            "HTTPS://hooks.slack.com/",
            "ftp://hooks.slack.com/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/plain,hooks.slack.com",
            "//hooks.slack.com/",
            "hooks.slack.com",
            "https://",
            "",
        ] {
            assert!(check(url, &allowed, &[]).is_err(), "{url}");
        }
        assert!(check(&format!("https://hooks.slack.com/{}", "a".repeat(URL_MAX)), &allowed, &[]).is_err());
    }

    #[test]
    fn plain_addresses_pass_with_their_parts() {
        let allowed = ["hooks.slack.com".to_owned()];
        for (url, host, path) in [
            ("https://hooks.slack.com/services/T0/B0/x", "hooks.slack.com", "/services/T0/B0/x"),
            ("https://hooks.slack.com:443/services", "hooks.slack.com", "/services"),
            ("https://hooks.slack.com", "hooks.slack.com", ""),
            ("https://hooks.slack.com?token=a@b:c", "hooks.slack.com", "?token=a@b:c"),
            ("https://hooks.slack.com/%7Eme/..;a=b?c=%20", "hooks.slack.com", "/%7Eme/..;a=b?c=%20"),
        ] {
            assert_eq!(check(url, &allowed, &[]), Ok(Target { host, path }), "{url}");
            assert_eq!(check(url, &[], &[]), Ok(Target { host, path }), "{url}");
        }
        assert!(check("https://1password.com/hook", &[], &[]).is_ok());
        assert!(check("https://xn--bcher-kva.ch/hook", &[], &[]).is_ok());
    }

    /// H124: no alert is sent to the service that it is about.
    #[test]
    fn its_own_host_is_refused() {
        let own = ["Seawall.acme.workers.dev:443".to_owned(), "db.acme.com.".to_owned()];
        for url in ["https://seawall.acme.workers.dev/hook", "https://db.acme.com/hook", "https://db.acme.com:443"] {
            assert!(check(url, &[], &own).is_err(), "{url}");
            assert!(check(url, &["db.acme.com".to_owned()], &own).is_err(), "{url}");
        }
        assert!(check("https://hooks.acme.com/", &[], &own).is_ok());
    }

    #[test]
    fn a_refusal_repeats_nothing_of_the_address() {
        for host in PRIVATE_HOSTS {
            let Err(Refused(why)) = check(&format!("https://{host}/s3cret"), &[], &[]) else { panic!("{host}") };
            assert!(!why.contains("s3cret"), "{why}");
        }
    }

    /// H132: what may be shown of an address is its scheme and host.
    #[test]
    fn an_origin_has_neither_path_nor_query() {
        assert_eq!(origin("https://hooks.slack.com/services/T0/B0/s3cret?s3cret"), "https://hooks.slack.com");
        assert_eq!(origin("https://s3cret@hooks.slack.com/"), "");
    }
}
