//! The list of behaviours in its line form.
use std::str::FromStr;

pub struct Case {
    pub name: String,
    lines: Vec<(String, String)>,
}

impl Case {
    /// The values of a key, in order.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The values of a key, each as a name and what follows it.
    pub fn pairs<'a>(&'a self, key: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.all(key).map(|value| value.split_once(' ').unwrap_or((value, "")))
    }

    pub fn has(&self, key: &str) -> bool {
        self.lines.iter().any(|(name, _)| name == key)
    }

    pub fn value(&self, key: &str) -> &str {
        let line = self.lines.iter().find(|(name, _)| name == key);
        &line.unwrap_or_else(|| panic!("{}: no {}", self.name, key)).1
    }

    pub fn text(&self, key: &str) -> Vec<u8> {
        unescape(self.value(key))
    }

    pub fn texts(&self, key: &str) -> Vec<Vec<u8>> {
        self.all(key).map(unescape).collect()
    }

    pub fn number(&self, key: &str) -> i64 {
        self.numbers(key)[0]
    }

    pub fn real(&self, key: &str) -> f64 {
        self.numbers(key)[0]
    }

    pub fn numbers<T: FromStr>(&self, key: &str) -> Vec<T> {
        numbers(self.value(key))
    }
}

pub fn numbers<T: FromStr>(value: &str) -> Vec<T> {
    value.split_whitespace().map(|word| word.parse().unwrap_or_else(|_| panic!("{:?} is no number", word))).collect()
}

/// `\xNN` undone.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut pieces = text.split("\\x");
    let mut bytes = pieces.next().unwrap_or("").as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).expect("two hexadecimal digits"));
        bytes.extend(&piece.as_bytes()[2..]);
    }
    bytes
}

pub fn read(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        match (key, cases.last_mut()) {
            ("case", _) => cases.push(Case { name: value.to_string(), lines: Vec::new() }),
            (_, Some(case)) => case.lines.push((key.to_string(), value.to_string())),
            (_, None) => {} // the model that the list is of
        }
    }
    cases
}
