//! Query strings, read as Kubernetes reads them.
//!
//! Invariant: parameters nobody asks for are ignored; of a repeated one the first counts.

use apimachinery::Status;

/// The decoded parameters of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Decodes what follows the `?`.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (form_decode(key), form_decode(value))
            })
            .collect();
        Self { pairs }
    }

    /// The first value of `key`; `None` when absent.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The first value of `key`, empty when absent.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.get(key).unwrap_or_default()
    }

    /// Every value of `key`, in order.
    pub(crate) fn all(&self, key: &str) -> Vec<String> {
        self.pairs().filter(|(name, _)| *name == key).map(|(_, value)| value.to_owned()).collect()
    }

    /// Every parameter, in order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// A flag: absent, `false` and `0` are false, everything else (even empty) is true.
    ///
    /// Mirrors: `k8s.io/apimachinery/pkg/runtime/converter.go` (`Convert_Slice_string_To_bool`).
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(|text| !text.eq_ignore_ascii_case("false") && text != "0")
    }

    /// A number; `None` when absent or empty.
    pub(crate) fn number(&self, key: &str) -> Result<Option<i64>, Status> {
        match self.get(key) {
            None | Some("") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| {
                Status::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
            }),
        }
    }
}

/// Decodes `%XX`; what is not valid stays as it is.
pub(crate) fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        match hex_pair(bytes.get(index + 1..index + 3)).filter(|_| bytes[index] == b'%') {
            Some(byte) => {
                decoded.push(byte);
                index += 3;
            }
            None => {
                decoded.push(bytes[index]);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn form_decode(text: &str) -> String {
    if text.contains('+') { percent_decode(&text.replace('+', " ")) } else { percent_decode(text) }
}

fn hex_pair(pair: Option<&[u8]>) -> Option<u8> {
    let text = std::str::from_utf8(pair?).ok()?;
    text.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
    u8::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query =
            Query::parse("labelSelector=a%3Db%2Cc+in&watch=1&container=x&container=y&p=%zz");
        assert_eq!(query.get("labelSelector"), Some("a=b,c in"));
        assert!(query.flag("watch"));
        assert_eq!(query.text("container"), "x");
        assert_eq!(query.pairs().filter(|(key, _)| *key == "container").count(), 2);
        assert_eq!(query.text("p"), "%zz");
        assert_eq!(query.get("nosuch"), None);
    }

    #[test]
    fn flags_and_numbers_follow_go() {
        let query = Query::parse("a=false&b=0&c=&d=abc&e=12&f");
        let flags: Vec<bool> = ["a", "b", "c", "d", "f", "g"].map(|key| query.flag(key)).to_vec();
        assert_eq!(flags, [false, false, true, true, true, false]);
        assert_eq!(query.number("e"), Ok(Some(12)));
        assert_eq!(query.number("c"), Ok(None));
        assert_eq!(
            query.number("d").unwrap_err().message,
            "strconv.ParseInt: parsing \"abc\": invalid syntax"
        );
    }
}
