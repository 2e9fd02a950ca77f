//! Values that are a number or a percentage: `maxSurge: 1`, `maxUnavailable: 25%`.
//!
//! Mirrors: `k8s.io/apimachinery/pkg/util/intstr`.

use crate::Value;

use crate::field::quote;

/// Why a value is neither a number nor a percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A text without a number before the percent sign.
    #[error("invalid value for IntOrString: invalid value {}: strconv.Atoi: parsing {}: {reason}",
        quote(.text), quote(.number))]
    Number {
        /// The whole text.
        text: String,
        /// What should have been a number.
        number: String,
        /// Why it is none.
        reason: &'static str,
    },
    /// A value of another type.
    #[error("invalid value for IntOrString: invalid type: neither int nor percentage")]
    Type,
}

/// The number a value stands for, where a percentage is taken of `total` and rounded up or down.
///
/// A text without a percent sign counts as a percentage all the same.
///
/// # Errors
/// When the value is neither.
pub fn resolve(value: &Value, total: i64, round_up: bool) -> Result<i64, Error> {
    let text = match value {
        Value::Number(number) => return number.as_i64().ok_or(Error::Type),
        Value::String(text) => text,
        _ => return Err(Error::Type),
    };
    let percent = i128::from(percent(text)?);
    let product = percent * i128::from(total);
    let quotient = product.div_euclid(100);
    let up = round_up && product.rem_euclid(100) != 0;
    let result = quotient + i128::from(up);
    Ok(i64::try_from(result).unwrap_or(if result < 0 { i64::MIN } else { i64::MAX }))
}

fn percent(text: &str) -> Result<i64, Error> {
    let number = text.replace('%', "");
    number.parse().map_err(|error: std::num::ParseIntError| {
        let reason = match error.kind() {
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                "value out of range"
            }
            _ => "invalid syntax",
        };
        Error::Number { text: text.to_owned(), number, reason }
    })
}

#[cfg(test)]
mod tests {
    use crate::json;

    use super::*;

    #[test]
    fn numbers_stand_for_themselves_and_percentages_for_a_share() {
        for (value, total, round_up, expected) in [
            (json!(123), 0, true, 123),
            (json!("90%"), 100, true, 90),
            (json!("90%"), 95, true, 86),
            (json!("90%"), 95, false, 85),
            (json!("25%"), 1, true, 1),
            (json!("25%"), 1, false, 0),
            (json!("0%"), 7, true, 0),
        ] {
            assert_eq!(resolve(&value, total, round_up), Ok(expected), "{value}");
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        assert_eq!(
            resolve(&json!("%"), 1, false).unwrap_err().to_string(),
            "invalid value for IntOrString: invalid value \"%\": strconv.Atoi: parsing \"\": \
             invalid syntax"
        );
        assert!(resolve(&json!("90#"), 1, false).is_err());
        assert_eq!(resolve(&json!(true), 1, false), Err(Error::Type));
        assert_eq!(resolve(&json!(1.5), 1, false), Err(Error::Type));
    }
}
