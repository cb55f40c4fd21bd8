use super::*;
use crate::alerts::conditions::{CIRCUIT, Condition, Severity};
use crate::alerts::lifecycle::{Book, Kind as Told, Look};
use crate::alerts::settings::SecretText;
use crate::alerts::settings::{Settings, Sink};
use crate::clock::Instant;

const KINDS: [Kind; 7] = [
    Kind::Generic,
    Kind::CloudEvents,
    Kind::Slack,
    Kind::Discord,
    Kind::PagerDuty,
    Kind::Alertmanager,
    Kind::AlertmanagerWebhook,
];

/// One event of each kind about one alert, whose database has this name and whose message is this.
fn events(database: &str, message: &str) -> Vec<Event> {
    let mut book = Book::default();
    let condition = Condition {
        rule: CIRCUIT.to_owned(),
        database: database.to_owned(),
        severity: Severity::Critical,
        message: message.to_owned(),
        value: 5.0,
        threshold: 0.0,
        state: "OPEN".to_owned(),
    };
    let half_open = Condition { state: "HALF_OPEN".to_owned(), severity: Severity::Warning, ..condition.clone() };
    let look = |at: u64| Look { isolate: "a", token: 7, now: Instant(1_704_067_200_000 + at), cool_down_ms: 0 };
    let mut events = book.observe(&[condition], &look(0));
    events.extend(book.observe(&[half_open], &look(1_000)));
    let id = book.alerts[0].id.clone();
    events.extend(book.acknowledge(&id, "anna", Instant(1_704_067_202_000)).unwrap());
    events.extend(book.observe(&[], &look(3_000)));
    assert_eq!(
        events.iter().map(|event| event.kind).collect::<Vec<_>>(),
        [Told::Firing, Told::Changed, Told::Acknowledged, Told::Resolved]
    );
    events
}

fn receiver(kind: Kind) -> Receiver {
    let sink = Sink {
        name: "it".to_owned(),
        kind: Some(kind),
        url: Some("https://alerts.acme.com/hook".to_owned()),
        secrets: Vec::new(),
        routing_key: (kind == Kind::PagerDuty).then(|| SecretText("R0UT1NG".to_owned())),
        authorization: None,
    };
    Settings { sinks: vec![sink], ..Settings::default() }.receivers().unwrap().remove(0)
}

fn sent(kind: Kind, event: &Event) -> Value {
    serde_json::from_str(&payload(&receiver(kind), event, "msg_1").body).unwrap()
}

fn usual() -> Vec<Event> {
    events("primary", "The circuit is OPEN after 5 failures.")
}

/// ALR-01: an address of Slack is sent what Slack takes.
#[test]
fn a_host_is_sent_what_it_takes() {
    for (host, kind) in [
        ("hooks.slack.com", Kind::Slack),
        ("discord.com", Kind::Discord),
        ("events.pagerduty.com", Kind::PagerDuty),
        ("hooks.slack.com.evil.tld", Kind::Generic),
        ("alerts.acme.com", Kind::Generic),
    ] {
        assert_eq!(Kind::of_host(host), kind, "{host}");
    }
    let body = sent(Kind::Slack, &usual()[0]);
    let text = "[FIRING] critical circuitBreakerState (primary): The circuit is OPEN after 5 failures.";
    assert_eq!(body["text"], text);
    assert_eq!(body["mrkdwn"], false);
}

#[test]
fn the_generic_body_is_an_envelope_with_the_alert() {
    let events = usual();
    let types = ["alert.firing", "alert.changed", "alert.acknowledged", "alert.resolved"];
    for (event, name) in events.iter().zip(types) {
        assert_eq!(sent(Kind::Generic, event)["type"], name);
    }
    let body = sent(Kind::Generic, &events[3]);
    assert_eq!(body["timestamp"], "2024-01-01T00:00:03.000Z");
    assert_eq!(
        body["data"],
        serde_json::json!({
            "id": events[0].alert.id, "fingerprint": "circuitBreakerState/primary", "rule": "circuitBreakerState",
            "database": "primary", "severity": "warning", "message": "The circuit is OPEN after 5 failures.",
            "value": 5.0, "threshold": 0.0, "state": "HALF_OPEN", "stage": "resolved", "firedAtMs": 1_704_067_200_000_u64,
            "acknowledgedAtMs": 1_704_067_202_000_u64, "acknowledgedBy": "anna", "resolvedAtMs": 1_704_067_203_000_u64,
        })
    );
}

#[test]
fn a_cloud_event_has_all_that_the_specification_requires() {
    let payload = payload(&receiver(Kind::CloudEvents), &usual()[0], "msg_1");
    assert_eq!(payload.content_type, "application/cloudevents+json; charset=utf-8");
    let body: Value = serde_json::from_str(&payload.body).unwrap();
    for (name, value) in [
        ("specversion", "1.0"),
        ("id", "msg_1"),
        ("source", "/seawall"),
        ("type", "dev.seawall.alert.firing"),
        ("subject", "circuitBreakerState/primary"),
        ("time", "2024-01-01T00:00:00.000Z"),
        ("datacontenttype", "application/json"),
    ] {
        assert_eq!(body[name], value, "{name}");
    }
    // Names of attributes are small letters and digits.
    let is_name = |name: &String| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    assert!(body.as_object().unwrap().keys().all(is_name));
}

#[test]
fn an_incident_of_pagerduty_is_triggered_acknowledged_and_resolved_by_one_key() {
    let bodies: Vec<Value> = usual().iter().map(|event| sent(Kind::PagerDuty, event)).collect();
    let actions: Vec<&str> = bodies.iter().filter_map(|body| body["event_action"].as_str()).collect();
    assert_eq!(actions, ["trigger", "trigger", "acknowledge", "resolve"]);
    for body in &bodies {
        assert_eq!(
            (&body["dedup_key"], &body["routing_key"]),
            (&"seawall/circuitBreakerState/primary".into(), &"R0UT1NG".into())
        );
    }
    assert_eq!(bodies[0]["payload"]["severity"], "critical");
    assert_eq!(bodies[0]["payload"]["source"], "primary");
    assert!(bodies[3].get("payload").is_none());
}

#[test]
fn alertmanager_is_sent_one_alert_from_its_beginning_to_its_end() {
    let events = usual();
    let (first, last) = (sent(Kind::Alertmanager, &events[0]), sent(Kind::Alertmanager, &events[3]));
    assert_eq!(first[0]["labels"], last[0]["labels"], "other labels would be another alert");
    assert_eq!(first[0]["endsAt"], "2024-01-02T00:00:00.000Z");
    assert_eq!(last[0]["endsAt"], "2024-01-01T00:00:03.000Z");
    let webhook = sent(Kind::AlertmanagerWebhook, &events[3]);
    assert_eq!((&webhook["version"], &webhook["status"]), (&"4".into(), &"resolved".into()));
    assert_eq!(sent(Kind::AlertmanagerWebhook, &events[0])["alerts"][0]["endsAt"], "0001-01-01T00:00:00Z");
}

#[test]
fn a_chat_is_not_told_who_acknowledged() {
    for kind in KINDS {
        let wants = matches!(kind, Kind::Generic | Kind::CloudEvents | Kind::PagerDuty);
        assert_eq!(kind.wants(Told::Acknowledged), wants, "{kind:?}");
        assert!(kind.wants(Told::Firing) && kind.wants(Told::Changed) && kind.wants(Told::Resolved));
    }
}

/// H128: no text of others is a mention, a link or markup in a chat, and none is too long.
#[test]
fn texts_of_others_are_text_in_a_chat() {
    for (text, slack) in [
        ("<!channel>", "&lt;!channel&gt;"),
        ("<!here> <@U123> <#C123>", "&lt;!here&gt; &lt;@U123&gt; &lt;#C123&gt;"),
        ("<https://evil.tld|https://hooks.slack.com>", "&lt;https://evil.tld|https://hooks.slack.com&gt;"),
        ("a & b &lt; *bold*", "a &amp; b &amp;lt; *bold*"),
    ] {
        let event = &events(text, text)[0];
        let body = sent(Kind::Slack, event);
        assert_eq!(body["text"], format!("[FIRING] critical circuitBreakerState ({slack}): {slack}"));
        assert_eq!((&body["mrkdwn"], &body["link_names"]), (&false.into(), &false.into()));
    }
    for text in ["@everyone", "<@&1>", "[a](https://evil.tld)", "**bold** `code` ||x||", "~~old~~ _it_ <t:0>"] {
        let body = sent(Kind::Discord, &events("primary", text)[0]);
        assert_eq!(body["allowed_mentions"], serde_json::json!({ "parse": [] }));
        let content = body["content"].as_str().unwrap();
        assert!(text.starts_with('@') || !content.contains(text), "{content}");
        assert_eq!(
            content.replace('\\', ""),
            format!("[FIRING] critical circuitBreakerState (primary): {text}").replace('\\', "")
        );
    }
    for (unit, count) in [("x", 2_001), ("é", 9_999), ("😀", 9_999), ("*", 2_001), ("&", 99_999)] {
        let mut event = events("primary", "")[0].clone();
        event.alert.message = unit.repeat(count);
        let body = sent(Kind::Discord, &event);
        let content = body["content"].as_str().unwrap();
        assert!(content.encode_utf16().count() <= 2_000 && content.encode_utf16().count() > 1_990);
        assert!(!content.ends_with('\\') || content.ends_with("\\\\"), "nothing is cut after its escape");
        assert!(sent(Kind::Slack, &event)["text"].as_str().unwrap().len() < 40_000);
        assert!(sent(Kind::PagerDuty, &event)["payload"]["summary"].as_str().unwrap().chars().count() <= 1_024);
    }
}

#[test]
fn a_message_is_smaller_than_receivers_take() {
    let event = &events(&"é".repeat(100), &"\"".repeat(300))[3];
    for kind in KINDS {
        assert!(payload(&receiver(kind), event, "msg_1").body.len() < 20_000, "{kind:?}");
    }
}
