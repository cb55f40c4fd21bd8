//! The one pass over the tokens of a statement: where tables stand, which functions are called, how it ends.

use super::Kind;
use super::names::{self, Function};
use super::statement::{Statement, TABLES_MAX, Verb, hash};
use super::token::{Sort, Token, Tokens};

/// Parentheses within each other; SQLite's own parser gives up sooner.
const DEPTH_MAX: usize = 250;

const WITH: u8 = 11;

/// Words that a statement may begin with, by their verb's number.
const VERBS: [&str; 12] = [
    "",
    "select values",
    "insert replace",
    "update",
    "delete",
    "create drop alter",
    "begin commit end rollback savepoint release",
    "pragma",
    "attach detach",
    "vacuum analyze reindex",
    "explain",
    "with",
];
const NUMBERED: [Verb; 11] = [
    Verb::Other,
    Verb::Select,
    Verb::Insert,
    Verb::Update,
    Verb::Delete,
    Verb::Schema,
    Verb::Transaction,
    Verb::Pragma,
    Verb::Attach,
    Verb::Maintenance,
    Verb::Explain,
];

const DATE_ARGUMENT: u8 = 1;
const DATE_COMMA: u8 = 2;

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Wants {
    #[default]
    Nothing,
    Read,
    Write,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum List {
    #[default]
    None,
    /// Next is the name of a common table expression.
    Name,
    /// Next is its head or body, then a comma or the statement itself.
    Rest,
}

/// What is known of one level of parentheses.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Within `FROM`, where a comma is followed by a table.
    is_from: bool,
    /// The next name is a table's.
    wants: Wants,
    /// Within `WITH`.
    list: List,
    /// Hash of the common table expression that is being defined.
    defines: u32,
}

/// A statement as far as it was read.
pub(super) struct Reading<'a> {
    tokens: Tokens<'a>,
    before: Option<Token<'a>>,
    level: Level,
    outer: Vec<Level>,
    /// Names that are no tables, each with the depth at which they hold.
    defined: Vec<(u32, usize)>,
    verb: u8,
    is_explained: bool,
    is_complete: bool,
    is_volatile: bool,
    acts: bool,
    only_tells: bool,
    is_overfull: bool,
    /// Depth of the arguments of a function of time, 0 outside of one.
    date_depth: usize,
    /// What its arguments must still show, so that it does not mean the present.
    date_needs: u8,
    reads: Vec<u32>,
    writes: Vec<u32>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(sql: &'a [u8]) -> Self {
        Self {
            tokens: Tokens::new(sql),
            before: None,
            level: Level::default(),
            outer: Vec::new(),
            defined: Vec::new(),
            verb: Verb::Other as u8,
            is_explained: false,
            is_complete: true,
            is_volatile: false,
            acts: false,
            only_tells: false,
            is_overfull: false,
            date_depth: 0,
            date_needs: 0,
            reads: Vec::new(),
            writes: Vec::new(),
        }
    }

    #[inline(never)]
    pub(super) fn run(&mut self) {
        let mut first = self.tokens.peek();
        if first.is_some_and(|token| token.is_word("explain")) {
            self.is_explained = true;
            self.tokens.next();
            if self.tokens.peek().is_some_and(|token| token.is_word("query")) {
                self.tokens.next();
                // Whatever else stands here, such as a semicolon, is no part of it.
                if self.tokens.peek().is_some_and(|token| token.is_word("plan")) {
                    self.tokens.next();
                }
            }
            first = self.tokens.peek();
        }
        self.verb = first.map_or(0, verb_of);
        if self.verb == Verb::Schema as u8 {
            // The body of a trigger has semicolons of its own, and nothing more need be known.
            return;
        }
        if self.verb == Verb::Pragma as u8 {
            self.pragma();
        }
        while let Some(token) = self.tokens.next() {
            if token.is(b';') {
                self.is_complete &= self.tokens.all(|token| token.is(b';'));
                break;
            }
            if matches!(self.verb, 1..=4 | WITH) {
                self.step(token);
                self.before = Some(token);
            } else {
                self.is_complete &= token.sort != Sort::Illegal;
            }
        }
        self.is_complete &= self.outer.is_empty();
    }

    #[inline(never)]
    fn pragma(&mut self) {
        self.tokens.next();
        let mut name = self.tokens.next();
        if self.tokens.sees(b'.') {
            self.tokens.next();
            name = self.tokens.next();
        }
        let has_argument = self.tokens.peek().is_some_and(|token| !token.is(b';'));
        let is_assigned = self.tokens.sees(b'=');
        self.only_tells = name.is_some_and(|name| names::only_tells(&name.name(), has_argument)) && !is_assigned;
    }

    #[inline(never)]
    fn step(&mut self, token: Token<'a>) {
        let follows_dot = self.before.is_some_and(|before| before.is(b'.'));
        if self.date_depth > 0 && self.outer.len() >= self.date_depth && !token.is(b')') {
            self.date_needs &= !DATE_ARGUMENT;
        }
        match token.sort {
            Sort::Illegal => self.is_complete = false,
            Sort::Sign => return self.sign(token),
            Sort::Variable => self.is_volatile |= self.date_depth > 0,
            Sort::Text | Sort::Quoted if self.date_depth > 0 => self.is_volatile |= names::is_present(&token.name()),
            _ => {}
        }
        let is_name = matches!(token.sort, Sort::Word | Sort::Quoted | Sort::Text);
        if follows_dot || !is_name {
            return;
        }
        if self.level.wants != Wants::Nothing && !(token.sort == Sort::Word && self.is_before_table(token)) {
            return self.table(token);
        }
        if self.level.list == List::Name {
            self.level.defines = hash(&token.name());
            let is_keyword = token.is_word("recursive")
                && self.tokens.peek().is_some_and(|next| !next.is(b'(') && !next.is_word("as"));
            if !is_keyword {
                self.level.list = List::Rest;
            }
            return;
        }
        if token.sort == Sort::Word && self.word(token) {
            return;
        }
        if self.level.list == List::None && token.sort != Sort::Text && self.tokens.sees(b'(') {
            self.call(token);
        }
    }

    /// Words between the one that announces a table and its name.
    fn is_before_table(&mut self, token: Token<'a>) -> bool {
        if token.is_word("or") {
            // UPDATE OR IGNORE t
            self.tokens.next();
            return true;
        }
        let is_query = match verb_of(token) {
            WITH => self.before.is_some_and(|before| before.is(b'(')),
            verb => verb == Verb::Select as u8,
        };
        is_query && self.level.wants == Wants::Read
    }

    #[inline(never)]
    fn sign(&mut self, token: Token<'a>) {
        match token.text {
            b"(" => self.open(),
            b")" => self.close(),
            b"," => {
                if self.date_depth == self.outer.len() {
                    self.date_needs &= !DATE_COMMA;
                }
                if self.level.list == List::Rest {
                    self.level.list = List::Name;
                } else if self.level.is_from {
                    self.level.wants = Wants::Read;
                }
            }
            _ => {}
        }
    }

    #[inline(never)]
    fn open(&mut self) {
        if self.outer.len() >= DEPTH_MAX {
            self.is_complete = false;
            return;
        }
        let is_body =
            self.level.list == List::Rest && self.before.is_some_and(|before| before.is_word("as materialized"));
        if is_body {
            self.defined.push((self.level.defines, self.outer.len()));
        }
        // `FROM (a JOIN b)`, `FROM (SELECT …)`
        let holds_tables = self.level.wants == Wants::Read;
        self.level.wants = Wants::Nothing;
        self.outer.push(self.level);
        self.level = Level::default();
        if holds_tables {
            self.level.is_from = true;
            self.level.wants = Wants::Read;
        }
    }

    #[inline(never)]
    fn close(&mut self) {
        if self.date_depth > 0 && self.outer.len() == self.date_depth {
            self.is_volatile |= self.date_needs != 0;
            self.date_depth = 0;
        }
        match self.outer.pop() {
            Some(level) => self.level = level,
            None => self.is_complete = false,
        }
        // Those of inner levels are the last ones.
        while self.defined.last().is_some_and(|&(_, depth)| depth > self.outer.len()) {
            self.defined.pop();
        }
    }

    /// Acts on a keyword; true if it was one.
    #[inline(never)]
    fn word(&mut self, token: Token<'a>) -> bool {
        let Self { level, before, .. } = self;
        let follows = |word: &str| before.is_some_and(|before| before.is_word(word));
        let name = &*token.name();
        let is = |words: &str| names::has(words, name);
        if is("select values") {
            let list = std::mem::take(level).list;
            if list == List::Rest {
                self.begin(Verb::Select);
            }
        } else if is("from") {
            if follows("delete") {
                level.wants = Wants::Write;
            } else if !follows("distinct") {
                // That would be IS NOT DISTINCT FROM.
                level.is_from = true;
                level.wants = Wants::Read;
            }
        } else if is("join") || is("in") && !self.tokens.sees(b'(') {
            // a IN t
            level.wants = Wants::Read;
        } else if is("into") {
            level.wants = Wants::Write;
        } else if is("update") && !follows("do") {
            level.wants = Wants::Write;
            self.begin(Verb::Update);
        } else if is("insert replace") && level.list == List::Rest {
            self.begin(Verb::Insert);
        } else if is("delete") {
            self.begin(Verb::Delete);
        } else if is("where group having order limit union except intersect set returning") {
            level.is_from = false;
        } else if is("current_date current_time current_timestamp regexp") {
            self.is_volatile = true;
        } else if is("with")
            // A column may have this name too.
            && (before.is_none_or(|before| before.is(b'(') || before.is(b')')) || !self.writes.is_empty())
        {
            level.wants = Wants::Nothing;
            level.list = List::Name;
        } else {
            return names::is_keyword(name);
        }
        true
    }

    /// The statement after a `WITH` list.
    #[inline(never)]
    fn begin(&mut self, verb: Verb) {
        if self.outer.is_empty() && self.verb == WITH {
            self.verb = verb as u8;
        }
        self.level.list = List::None;
    }

    #[inline(never)]
    fn call(&mut self, token: Token<'a>) {
        let name = token.name();
        match names::function(&name) {
            Function::Pure => {}
            Function::Volatile => self.is_volatile = true,
            Function::Acts => self.acts = true,
            Function::Date if self.date_depth > 0 => {}
            Function::Date => {
                self.date_depth = self.outer.len() + 1;
                // These need a format or another time before theirs.
                self.date_needs = if matches!(&*name, b"strftime" | b"timediff") {
                    DATE_ARGUMENT | DATE_COMMA
                } else {
                    DATE_ARGUMENT
                };
            }
        }
    }

    /// A name in the place of a table's.
    #[inline(never)]
    fn table(&mut self, first: Token<'a>) {
        let is_target = std::mem::take(&mut self.level.wants) == Wants::Write;
        let mut name = first.name();
        let is_qualified = self.tokens.sees(b'.');
        if is_qualified {
            self.tokens.next();
            self.is_volatile |= name == b"temp";
            name = self.tokens.next().map(|token| token.name()).unwrap_or_default();
        }
        let hash = hash(&name);
        if !is_qualified && !is_target && self.defined.iter().any(|&(defined, _)| defined == hash) {
            return;
        }
        if !is_target && self.tokens.sees(b'(') {
            match names::function(&name) {
                Function::Pure => return,
                Function::Acts => self.acts = true,
                // A virtual table, or a function that reads nobody knows what.
                Function::Date | Function::Volatile => {
                    self.is_volatile = true;
                    self.is_overfull = true;
                }
            }
        }
        self.is_volatile |= name.starts_with(b"sqlite_") || name.starts_with(b"pragma_") || name == b"dbstat";
        let tables = if is_target { &mut self.writes } else { &mut self.reads };
        if !tables.contains(&hash) {
            if tables.len() < TABLES_MAX {
                tables.push(hash);
            } else {
                self.is_overfull = true;
            }
        }
    }

    #[inline(never)]
    pub(super) fn finish(self) -> Statement {
        let mut verb = NUMBERED.get(usize::from(self.verb)).copied().unwrap_or(Verb::Other);
        let has_targets = !self.writes.is_empty();
        let mut kind = match verb {
            Verb::Schema => Kind::Write,
            _ if !self.is_complete => {
                verb = Verb::Other;
                Kind::Unknown
            }
            Verb::Select if self.acts || has_targets => Kind::Unknown,
            Verb::Select => Kind::Read,
            Verb::Insert | Verb::Update | Verb::Delete | Verb::Maintenance => Kind::Write,
            Verb::Pragma if self.only_tells => Kind::Read,
            _ => Kind::Unknown,
        };
        let is_data = matches!(verb, Verb::Select | Verb::Insert | Verb::Update | Verb::Delete);
        if self.is_explained {
            // Pragmas may act while they are compiled, and what changes the schema was not read to its end.
            verb = Verb::Explain;
            kind = if is_data && kind != Kind::Unknown { Kind::Read } else { Kind::Unknown };
        }
        let is_listed = is_data && !self.is_overfull && (kind == Kind::Read || kind == Kind::Write && has_targets);
        Statement {
            kind,
            verb,
            is_cacheable: verb == Verb::Select && is_listed && !self.is_volatile,
            touches_everything: !(is_listed || kind == Kind::Read && verb != Verb::Select),
            // What is only explained touches nothing.
            reads: if self.is_explained { Vec::new() } else { self.reads },
            writes: if self.is_explained { Vec::new() } else { self.writes },
        }
    }
}

#[inline(never)]
fn verb_of(token: Token<'_>) -> u8 {
    VERBS.iter().position(|words| token.is_word(words)).unwrap_or(0) as u8
}
