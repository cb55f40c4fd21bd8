//! An address of a webhook that we take means the same to another parser.

use proptest::prelude::*;
use seawall::alerts::url_policy::{Target, check};
use url::{Host, Url};

/// Pieces that addresses of attackers are made of, among plain ones.
const PIECES: [&str; 44] = [
    "https://",
    "http://",
    "https:",
    "/",
    "//",
    "\\",
    "@",
    ":",
    ":443",
    ":80",
    "#",
    "?",
    "&",
    "=",
    ".",
    "..",
    "-",
    "%2e",
    "%00",
    "%40",
    "[",
    "]",
    "::1",
    "127.0.0.1",
    "127.1",
    "0x7f",
    "2130706433",
    "localhost",
    "internal",
    "hooks.slack.com",
    "evil",
    "tld",
    "a",
    "1",
    "com",
    "xn--",
    "①",
    "。",
    "\t",
    "\n",
    " ",
    "\u{ad}",
    "A",
    ";",
];

fn address() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(PIECES.to_vec());
    let odd = prop::collection::vec(piece.clone(), 0..12).prop_map(|pieces| pieces.concat());
    let near = prop::collection::vec(piece, 0..8).prop_map(|pieces| format!("https://{}", pieces.concat()));
    let plain = "https://[a-z0-9-]{1,8}(\\.[a-z0-9-]{1,8}){1,3}(:443)?([/?][!-~]{0,16})?";
    prop_oneof![odd, near, plain, "https://[a-z0-9.:@/?#\\\\-]{1,30}", "\\PC{0,40}"]
}

proptest! {
    /// H120 and H122: what is taken is what the other parser reads, with a public name on port 443.
    #[test]
    fn what_is_taken_means_the_same_to_another_parser(text in address()) {
        if let Ok(Target { host, .. }) = check(&text, &[], &[]) {
            let url = Url::parse(&text).unwrap();
            prop_assert_eq!(url.scheme(), "https");
            prop_assert_eq!(url.host(), Some(Host::Domain(host)));
            prop_assert_eq!(url.port_or_known_default(), Some(443));
            prop_assert_eq!((url.username(), url.password(), url.fragment()), ("", None, None));
            prop_assert!(host.contains('.') && !host.ends_with('.'));
        }
    }
}
