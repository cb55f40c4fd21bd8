//! Names of SQLite's own that a statement is judged by, as texts of words: smaller than any map, and asked rarely.

/// Words that are no function, although a parenthesis may follow.
const KEYWORDS: &str = "all and as between by case collate conflict distinct else escape except exists filter from \
     glob group having in indexed intersect into is isnull join like limit match materialized not notnull null of \
     offset on or order over partition recursive references returning select set then union using values when where \
     window with";

/// Functions whose result depends on nothing but their arguments and the rows.
const PURE: &str = "abs acos acosh asin asinh atan atan2 atanh avg bm25 cast ceil ceiling char coalesce concat \
     concat_ws cos cosh count cume_dist degrees dense_rank exp first_value floor format group_concat hex highlight if \
     ifnull iif instr lag last_value lead length likelihood likely ln \
     log log10 log2 lower ltrim max min mod nth_value ntile nullif octet_length percent_rank pi pow power printf \
     quote radians rank replace round row_number rtrim sign sin sinh snippet soundex sqrt string_agg substr substring \
     sum tan tanh total trim trunc typeof unhex unicode unistr unlikely upper zeroblob generate_series \
     vector32 vector64 vector_distance_cos vector_distance_l2 vector_extract";

/// Functions of time: pure, if they are told one.
const DATES: &str = "date datetime julianday strftime time timediff unixepoch";

/// Texts that mean the present to functions of time.
const PRESENT: &str = "now subsec subsecond";

/// Functions that do something beyond giving a value: they run code or SQL, or write files.
const ACTS: &str = "load_extension eval writefile edit fts3_tokenizer";

/// Pragmas that only tell, with an argument or without.
const TELLS: &str = "foreign_key_check foreign_key_list index_info index_list index_xinfo integrity_check quick_check \
     table_info table_list table_xinfo";

/// Pragmas that only tell, without an argument.
const TELLS_ALONE: &str = "application_id collation_list compile_options data_version database_list encoding \
     foreign_keys freelist_count function_list module_list page_count page_size pragma_list schema_version \
     user_version";

/// Byte by byte, because the library's search is a large one.
#[inline(never)]
pub(super) fn has(words: &str, name: &[u8]) -> bool {
    let mut length = 0;
    let mut is_same = true;
    for &byte in words.as_bytes() {
        if byte != b' ' {
            is_same &= name.get(length) == Some(&byte);
            length += 1;
            continue;
        }
        if is_same && length == name.len() {
            return true;
        }
        length = 0;
        is_same = true;
    }
    is_same && length == name.len()
}

/// Whether a parenthesis after this word, in lower case, opens no arguments of a function.
pub(super) fn is_keyword(word: &[u8]) -> bool {
    has(KEYWORDS, word)
}

/// What calling a function, in lower case, says of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    /// The same arguments give the same result.
    Pure,
    /// The same, unless an argument or its absence means the present.
    Date,
    /// It may give another result each time, or nothing is known of it.
    Volatile,
    /// It does something.
    Acts,
}

/// What is known of a function, its name in lower case.
pub(super) fn function(name: &[u8]) -> Function {
    // No extension has functions of such names beside SQLite.
    if name.starts_with(b"json") || has(PURE, name) {
        Function::Pure
    } else if has(DATES, name) {
        Function::Date
    } else if has(ACTS, name) {
        Function::Acts
    } else {
        Function::Volatile
    }
}

/// Whether a text, in lower case, means the present.
pub(super) fn is_present(text: &[u8]) -> bool {
    has(PRESENT, text)
}

/// Whether a pragma, in lower case, changes nothing.
pub(super) fn only_tells(pragma: &[u8], has_argument: bool) -> bool {
    has(TELLS, pragma) || !has_argument && has(TELLS_ALONE, pragma)
}
