//! A JSON value as a YAML document in block style.
//!
//! Strings that could be read as something else are written as JSON writes them, which YAML 1.2 reads the same.
//! Source: YAML 1.2.2, sections 7.3.1 and 10.2.

use serde_json::Value;

/// The document, ending in a newline.
pub(super) fn document(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Array(items) if !items.is_empty() => list(items, 0, &mut out),
        Value::Object(members) if !members.is_empty() => object(members, 0, &mut out),
        scalar => {
            out.push_str(&flow(scalar));
            out.push('\n');
        }
    }
    out
}

fn list(items: &[Value], depth: usize, out: &mut String) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 || !out.ends_with("- ") {
            out.push_str(&"  ".repeat(depth));
        }
        out.push_str("- ");
        nested(item, depth, out);
    }
}

fn object(members: &serde_json::Map<String, Value>, depth: usize, out: &mut String) {
    for (at, (name, value)) in members.iter().enumerate() {
        // The first member stands behind the dash of its list.
        if at > 0 || !out.ends_with("- ") {
            out.push_str(&"  ".repeat(depth));
        }
        out.push_str(&text(name));
        out.push(':');
        match value {
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                list(items, depth + 1, out);
            }
            Value::Object(members) if !members.is_empty() => {
                out.push('\n');
                object(members, depth + 1, out);
            }
            scalar => out.push_str(&format!(" {}\n", flow(scalar))),
        }
    }
}

fn nested(item: &Value, depth: usize, out: &mut String) {
    match item {
        Value::Array(items) if !items.is_empty() => list(items, depth + 1, out),
        Value::Object(members) if !members.is_empty() => object(members, depth + 1, out),
        scalar => out.push_str(&format!("{}\n", flow(scalar))),
    }
}

/// Numbers, booleans, null and what is empty are the same in both languages.
fn flow(scalar: &Value) -> String {
    match scalar {
        Value::String(string) => text(string),
        other => other.to_string(),
    }
}

fn text(string: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let starts_plain = string.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '/');
    let is_keyword = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|word| string.eq_ignore_ascii_case(word));
    if starts_plain && string.chars().all(is_word) && !is_keyword {
        string.to_owned()
    } else {
        Value::String(string.to_owned()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nests_in_block_style() {
        let value =
            json!({"topic": "a.b", "queues": [{"id": 0, "at": [1, 2]}, {"id": 1, "at": []}], "none": {}});
        let expected = "topic: a.b\nqueues:\n  - id: 0\n    at:\n      - 1\n      - 2\n  - id: 1\n    at: []\nnone: {}\n";
        assert_eq!(document(&value), expected);
        assert_eq!(document(&json!([])), "[]\n");
        assert_eq!(document(&json!([[1], {"a": null}])), "- - 1\n- a: null\n");
    }

    #[test]
    fn strings_that_read_as_something_else_are_quoted() {
        for (string, expected) in [
            ("plain_name-1", "plain_name-1"),
            ("no", "\"no\""),
            ("127.0.0.1:9092", "\"127.0.0.1:9092\""),
            ("%RETRY%g", "\"%RETRY%g\""),
            ("", "\"\""),
            ("a\nb: c", "\"a\\nb: c\""),
            ("1e3", "\"1e3\""),
            ("- x", "\"- x\""),
        ] {
            assert_eq!(text(string), expected);
        }
    }
}
