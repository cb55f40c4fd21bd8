use super::*;

const NOW: Instant = Instant(1_704_067_200_000);
const ID: &str = "3f9a0c4412be";

fn wanted(role: Role) -> Wanted {
    Wanted { label: "deploy".to_owned(), role, tenant: None, not_before: None, expires_at: None }
}

fn one(role: Role) -> (Tokens, String) {
    let (mut tokens, text) = (Tokens::default(), secret(ID, &[7; 32]));
    tokens.add(&wanted(role), &text, NOW).unwrap();
    (tokens, text)
}

fn role(tokens: &Tokens, text: &str, now: Instant) -> Option<Role> {
    tokens.principal(&Presented::read(text)?, now).map(|principal| principal.role)
}

/// SEC-05: a token lets in with its role and name, and nothing of its secret is kept or shown
#[test]
fn a_token_lets_in_with_its_role() {
    let (tokens, text) = one(Role::Operator);
    assert_eq!((text.len(), text.starts_with("lrk_3f9a0c4412be_")), (60, true));
    let principal = tokens.principal(&Presented::read(&text).unwrap(), NOW).unwrap();
    assert_eq!((principal.role, principal.name.as_str()), (Role::Operator, "tokens/3f9a0c4412be"));
    let (kept, shown) = (tokens.value().to_string(), format!("{:?}", tokens.shown(NOW)));
    assert!(!kept.contains(&text[17..]) && !shown.contains(&hex(&digest(&text))), "{kept} {shown}");
    assert_eq!(Tokens::read(&tokens.value()), tokens);
    assert!(!format!("{:?}", Presented::read(&text)).contains(&text[17..]));
}

/// H020: only exactly the text that was given out has the form of a token, or is one
#[test]
fn what_is_not_exactly_the_text_lets_nobody_in() {
    let (tokens, text) = one(Role::Admin);
    let wrong = [
        String::new(),
        PREFIX.to_owned(),
        format!("{text} "),
        format!("{text}="),
        format!("{text}\0"),
        text.to_uppercase(),
        text[..59].to_owned(),
        text.replace("lrk_3f", "lrk_3F"),
        text.replacen('_', "-", 1),
        text.replace(ID, "000000000000"),
        text.replace(ID, ""),
        secret(ID, &[8; 32]),
        // The last character has bits that do not count.
        format!("{}d", &text[..59]),
    ];
    for wrong in wrong {
        assert_eq!(role(&tokens, &wrong, NOW), None, "{wrong:?}");
    }
    assert_eq!(role(&tokens, &text, NOW), Some(Role::Admin));
}

/// H026: a token that is revoked, has expired or is not yet valid lets nobody in, from that millisecond on
#[test]
fn tokens_begin_and_end() {
    let text = secret(ID, &[7; 32]);
    let mut tokens = Tokens::default();
    let (from, to) = (NOW.plus(100), NOW.plus(200));
    tokens.add(&Wanted { not_before: Some(from), expires_at: Some(to), ..wanted(Role::Viewer) }, &text, NOW).unwrap();
    let at = |tokens: &Tokens, ms| role(tokens, &text, NOW.plus(ms)).is_some();
    assert_eq!([99, 100, 199, 200].map(|ms| at(&tokens, ms)), [false, true, true, false]);
    assert!(!tokens.has_usable(NOW) && tokens.has_usable(from));
    assert_eq!(tokens.revoke(ID, NOW.plus(150)), Ok(true));
    assert_eq!(tokens.revoke(ID, NOW.plus(151)), Ok(false));
    assert!(!at(&tokens, 150));
    assert_eq!(tokens.rotate(ID, &text, 0, NOW.plus(150)), Err(Refusal::Ended));
    assert_eq!(tokens.revoke("000000000000", NOW), Err(Refusal::Unknown));
}

/// SEC-09: a secret is replaced with an overlap, after which only the new one lets in
#[test]
fn a_secret_is_replaced_without_a_gap() {
    let (mut tokens, old) = one(Role::Operator);
    let new = secret(ID, &[9; 32]);
    tokens.rotate(ID, &new, 1_000, NOW).unwrap();
    let at = |text: &str, ms| role(&tokens, text, NOW.plus(ms)).is_some();
    assert_eq!([at(&old, 999), at(&old, 1_000), at(&new, 0), at(&new, 5_000)], [true, false, true, true]);
    let mut at_once = tokens.clone();
    at_once.rotate(ID, &secret(ID, &[1; 32]), 0, NOW).unwrap();
    assert_eq!((role(&at_once, &old, NOW), role(&at_once, &new, NOW)), (None, None));
    assert!(tokens.rotate(ID, &new, OVERLAP_MAX_MS + 1, NOW).is_err());
}

/// H028: whatever a digest or the document is replaced by, nobody is let in by it
#[test]
fn damage_lets_nobody_in() {
    let (tokens, text) = one(Role::Admin);
    let sound = tokens.value();
    for digest in
        [json!(null), json!(""), json!("0"), json!("z".repeat(64)), json!("A".repeat(64)), json!(0), json!([])]
    {
        let mut value = sound.clone();
        value["tokens"][0]["sha256"] = digest.clone();
        let read = Tokens::read(&value);
        assert_eq!((role(&read, &text, NOW), read.has_usable(NOW)), (None, false), "{digest}");
        assert_eq!(read.shown(NOW), [json!({ "state": "unusable" })]);
        assert_eq!(read.value(), value, "it is kept for whoever looks into it");
    }
    for (member, wrong) in [
        ("role", json!("root")),
        ("id", json!("")),
        ("label", json!(7)),
        ("more", json!(1)),
        ("previous", json!({ "sha256": "", "untilMs": 9 })),
    ] {
        let mut value = sound.clone();
        value["tokens"][0][member] = wrong;
        assert_eq!(role(&Tokens::read(&value), &text, NOW), None, "{member}");
    }
    for value in
        [json!(null), json!({}), json!([]), json!("x"), json!({ "tokens": {} }), json!({ "tokens": [null, 1] })]
    {
        assert!(!Tokens::read(&value).has_usable(NOW), "{value}");
    }
    let twice = json!({ "tokens": [sound["tokens"][0], sound["tokens"][0]] });
    assert_eq!(role(&Tokens::read(&twice), &text, NOW), None);
}

#[test]
fn there_are_no_more_than_so_many() {
    let mut tokens = Tokens::default();
    let text = |number: usize| secret(&format!("{number:012x}"), &[7; 32]);
    for number in 0..TOKENS_MAX {
        tokens.add(&wanted(Role::Viewer), &text(number), NOW).unwrap();
    }
    assert_eq!(tokens.add(&wanted(Role::Viewer), &text(999), NOW), Err(Refusal::Full));
    tokens.revoke("000000000005", NOW).unwrap();
    assert!(tokens.add(&wanted(Role::Viewer), &text(999), NOW).is_ok());
    assert!(tokens.find("000000000005").is_none());
    assert!(tokens.value().to_string().len() < crate::orders::order::TEXT_MAX);
}

#[test]
fn what_a_token_cannot_be_is_refused() {
    let refused = |change: fn(&mut Wanted)| {
        let mut it = wanted(Role::Viewer);
        change(&mut it);
        Tokens::default().add(&it, &secret(ID, &[7; 32]), NOW).is_err()
    };
    assert!(!refused(|_| {}) && !refused(|it| it.label = "a".repeat(LABEL_MAX)));
    assert!(refused(|it| it.label = "a".repeat(LABEL_MAX + 1)) && refused(|it| it.label = " ".to_owned()));
    assert!(refused(|it| it.label = "a\nb".to_owned()) && refused(|it| it.tenant = Some(String::new())));
    assert!(refused(|it| it.expires_at = Some(NOW)));
    assert!(refused(|it| (it.not_before, it.expires_at) = (Some(NOW.plus(9)), Some(NOW.plus(9)))));
}
