//! A host whose flags are asked for by OFREP.

mod admission;
mod bulk;
mod flag;
mod mismatches;
mod telling;

use serde_json::{Value, json};

use crate::audit::fake::Host;
use crate::http::auth::Access;
use crate::http::{Request, Response};
use crate::monitor::{Monitor, Settings};

const TOKEN: &str = "a-token-of-32-bytes-and-some-more";
const ONE: &str = "/ofrep/v1/evaluate/flags/";
const ALL: &str = "/ofrep/v1/evaluate/flags";

fn world(flags: Value) -> Host {
    let mut settings = Settings { admin_token: Access::by_token(TOKEN), ..Settings::default() };
    settings.flags = serde_json::from_value(flags).unwrap();
    Host::with(Monitor::new(settings))
}

fn request(method: &str, path: &str, body: &Value) -> Request {
    let headers = [
        ("authorization", format!("Bearer {TOKEN}")),
        ("content-type", "application/json".to_owned()),
        ("if-match", "*".to_owned()),
    ];
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        body: body.to_string(),
        ..Request::default()
    }
}

fn with(mut request: Request, name: &str, value: Option<&str>) -> Request {
    request.headers.retain(|(known, _)| known != name);
    request.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    request
}

fn about(id: &str) -> Value {
    json!({ "context": { "targetingKey": id } })
}

fn json_of(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap()
}

impl Host {
    fn order(&mut self, name: &str, value: &Value) {
        let body = json!({ "value": value, "reason": "a test" });
        let response = self.ask(&request("PUT", &format!("/admin/api/orders/{name}"), &body));
        assert_eq!(response.status, 200, "{response:?}");
    }

    fn flag(&mut self, key: &str, body: &Value) -> (u16, Value) {
        let response = self.ask(&request("POST", &[ONE, key].concat(), body));
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        (response.status, json_of(&response))
    }
}

fn document() -> Value {
    let percent = |share: u32| json!([{ "id": "ramp", "rollout": share, "serve": "on" }]);
    json!({
        "version": 1,
        "revision": 42,
        "flags": {
            "all": { "rules": percent(100) },
            "half": { "rules": percent(50) },
            "nobody": { "rules": percent(0) },
            "plain": {},
            "staff": { "rules": [{ "if": [{ "attr": "email", "endsWith": "@acme.com" }], "serve": "on" }] },
            "off": { "enabled": false },
            "left": { "enabled": false, "off": "code-default" },
            "button": { "variants": { "A": "blue", "B": "green", "off": "grey" }, "rules": [{ "serve": { "A": 50, "B": 50 } }] },
            "dark": { "enabled": false, "variants": { "A": "blue", "off": "grey" }, "default": "off" },
            "count": { "variants": { "few": 3, "many": 2.5 }, "default": "few" },
            "list": { "variants": { "x": [1, 2], "y": { "a": 1 }, "z": null }, "default": "x" },
            "needs": { "requires": [{ "flag": "plain", "is": ["on"] }], "rules": [{ "serve": "on" }] },
            "strict": { "strict": true, "by": "account", "rules": percent(50) },
            "old": { "maxAge": "1m", "rules": [{ "serve": "on" }] },
            "old-off": { "maxAge": "1m", "onStale": "off", "rules": [{ "serve": "on" }] },
            "a/b ü": { "rules": [{ "serve": "on" }] },
        },
    })
}

fn served() -> Host {
    let mut host = world(json!({}));
    host.order("flags", &document());
    host
}
