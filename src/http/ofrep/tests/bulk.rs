//! All flags at once, their tag, and what operators order meanwhile.

use super::*;

#[test]
fn all_flags_have_a_tag_and_are_told_once() {
    let mut host = served();
    let ask = |host: &mut Host, id: &str, tag: Option<&str>| {
        host.ask(&with(request("POST", ALL, &about(id)), "if-none-match", tag))
    };
    let first = ask(&mut host, "u", None);
    let body = json_of(&first);
    let flags = body["flags"].as_array().unwrap();
    assert_eq!((first.status, flags.len()), (200, document()["flags"].as_object().unwrap().len()));
    assert_eq!(body["metadata"], json!({ "revision": 42, "version": 1 }));
    let of = |key: &str| flags.iter().find(|flag| flag["key"] == key).unwrap();
    assert_eq!(of("plain"), &json!({ "key": "plain", "reason": "STATIC", "value": false, "variant": "off" }));
    assert_eq!(of("strict")["errorCode"], "TARGETING_KEY_MISSING");
    let tag = first.header("etag").unwrap();
    assert!(tag.starts_with("\"42-1-0-") && tag.ends_with('"'), "{tag}");
    for named in [tag.to_owned(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let again = ask(&mut host, "u", Some(&named));
        assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", Some(tag)));
        assert_eq!(again.header("content-type"), None);
    }
    assert_eq!(ask(&mut host, "u", Some("\"42-1-0\"")).status, 200);
    // Somebody else may get something else.
    let other = (0..).map(|n| ask(&mut host, &format!("user-{n}"), Some(tag))).find(|response| response.status == 200);
    assert_ne!(other.unwrap().header("etag"), Some(tag));
    host.order("kill", &json!({ "flags": ["plain"] }));
    let killed = ask(&mut host, "u", Some(tag));
    assert_eq!(killed.status, 200);
    assert!(killed.header("etag").unwrap().starts_with("\"42-1-1-"));
}

/// FLG-08: a kill that another isolate was given is in the next answer here.
#[test]
fn a_kill_elsewhere_is_in_the_next_answer() {
    let (mut here, mut elsewhere) = (served(), world(json!({})));
    assert_eq!(here.flag("all", &about("u")).1["value"], true);
    elsewhere.strong = here.strong.clone();
    let killed = elsewhere.ask(&request("POST", "/admin/api/kill", &json!({ "flags": ["all"], "reason": "a test" })));
    assert_eq!(killed.status, 200, "{killed:?}");
    here.strong = elsewhere.strong.clone();
    here.now += 500;
    let (_, found) = here.flag("all", &about("u"));
    assert_eq!(
        (&found["reason"], &found["value"], &found["metadata"]["by"]),
        (&json!("DISABLED"), &json!(false), &json!("kill"))
    );
    // An isolate that begins looks before its first answer.
    let mut cold = world(json!({ "definitions": document() }));
    cold.strong = elsewhere.strong;
    assert_eq!(cold.flag("all", &about("u")).1["value"], false);
}

/// Providers say in the query what an event of a stream has told them. There are no streams here: the tag alone decides.
#[test]
fn what_a_stream_would_have_said_changes_no_answer() {
    let mut host = served();
    let mut ask = |query: &str, tag: Option<&str>| {
        let request = with(request("POST", ALL, &about("u")), "if-none-match", tag);
        host.ask(&Request { query: query.to_owned(), ..request })
    };
    let plain = ask("", None);
    assert_eq!(json_of(&plain).get("eventStreams"), None);
    let tag = plain.header("etag").unwrap();
    for query in ["flagConfigEtag=%22x%22&flagConfigLastModified=1771622898", "flagConfigEtag", "flagConfigEtag=%ff&&="]
    {
        let told = ask(query, None);
        assert_eq!((told.status, &told.body, told.header("etag")), (200, &plain.body, Some(tag)), "{query}");
        assert_eq!(ask(query, Some(tag)).status, 304, "{query}");
        assert_eq!(ask(query, Some("\"x\"")).status, 200, "{query}");
    }
}
