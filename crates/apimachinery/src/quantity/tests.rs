//! Quantities read, rounded and printed.

use crate::json;

use super::*;

fn show(text: &str) -> String {
    Quantity::parse(text).map_or_else(|error| format!("error: {error}"), |read| read.to_string())
}

#[test]
fn quantities_print_as_upstream_prints_them() {
    for (text, printed) in [
        ("0", "0"),
        ("-0Mi", "0"),
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1024Gi", "1Ti"),
        ("307200Ki", "300Mi"),
        ("0.5Mi", "512Ki"),
        ("1.5Gi", "1536Mi"),
        ("100.035Ki", "102435840m"),
        (".001Ki", "1024m"),
        ("0.001T", "1G"),
        ("1e14", "100e12"),
        ("1.2e3", "1200"),
        ("0.5e-1", "50e-3"),
        ("1.1E-9", "2e-9"),
        ("3.001n", "4n"),
        ("-3.001n", "-4n"),
        ("0.0000000005", "1n"),
        ("+.000000000001Ki", "2n"),
        ("-9Ei", "-9223372036854775807"),
        ("+9223372036854775807Ki", "9223372036854775807"),
        ("12E", "12E"),
        ("1000E", "1000E"),
        ("65183446966203518970e-3", "65183446966203518970e-3"),
        // What only looks canonical is kept.
        ("+1", "+1"),
        ("1.", "1."),
        ("10.035M", "10.035M"),
        ("+7Mi", "+7Mi"),
        ("+4Pi", "4Pi"),
    ] {
        assert_eq!(show(text), printed, "{text}");
    }
}

#[test]
fn what_is_no_quantity_is_refused() {
    for text in ["", "1.1.M", "1+1.0M", "0.1am", "aoeu", " 1", "1 ", "1é"] {
        assert_eq!(Quantity::parse(text), Err(Error::Format), "{text:?}");
    }
    for text in ["0.1mi", ".5i", "-3.01e-", "1KiB", "1ee3"] {
        let error = Quantity::parse(text).unwrap_err();
        assert!(matches!(error, Error::Suffix | Error::Format), "{text:?}");
    }
    assert_eq!(Quantity::parse("0.1mi"), Err(Error::Suffix));
}

#[test]
fn values_round_away_from_zero() {
    for (text, value, millis) in [
        ("1500m", 2, 1500),
        ("-1500m", -2, -1500),
        ("1n", 1, 1),
        ("100u", 1, 1),
        ("1Ki", 1024, 1_024_000),
        ("1e100", i64::MAX, i64::MAX),
        ("-1e100", i64::MIN, i64::MIN),
    ] {
        let quantity = Quantity::parse(text).unwrap();
        assert_eq!((quantity.value(), quantity.milli_value()), (value, millis), "{text}");
    }
}

#[test]
fn quantities_compare_add_and_subtract() {
    let read = |text: &str| Quantity::parse(text).unwrap();
    assert_eq!(read("1000m"), read("1"));
    assert!(read("10000T") > read("100Gi") && read("800m") < read("1"));
    let mut sum = Quantity::default();
    sum += &read("512Mi");
    sum += &read("512Mi");
    assert_eq!(sum.to_string(), "1Gi");
    sum -= &read("2Gi");
    assert_eq!(sum.to_string(), "-1Gi");
    assert!(sum.is_negative() && !sum.is_zero());
    assert_eq!((-sum).to_string(), "1Gi");
    assert_eq!(Quantity::from_millis(1500).to_string(), "1500m");
    assert_eq!(Quantity::new(2048, Format::BinarySi).to_string(), "2Ki");
    assert_eq!(Quantity::new(1000, Format::BinarySi).to_string(), "1k");
}

#[test]
fn documents_hold_texts_or_numbers() {
    assert_eq!(Quantity::from_json(&json!(2)).unwrap().to_string(), "2");
    assert_eq!(Quantity::from_json(&json!(0.5)).unwrap().to_string(), "500m");
    assert_eq!(Quantity::from_json(&json!(" 1Gi ")).unwrap().to_string(), "1Gi");
    assert!(Quantity::from_json(&json!(null)).unwrap().is_zero());
    assert!(Quantity::from_json(&json!([])).is_err());
}

#[test]
fn canonical_text_means_the_same_amount_and_nothing_panics() {
    let pieces =
        ["0", "1", "9", "000", "999999", ".", "-", "+", "e", "E", "Ki", "Ei", "m", "n", "é"];
    let mut state: u64 = 1;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 40).unwrap() % below
    };
    for _ in 0..20_000 {
        let text: String = (0..draw(9)).map(|_| pieces[draw(pieces.len())]).collect();
        let Ok(mut quantity) = Quantity::parse(&text) else { continue };
        assert_eq!(Quantity::parse(&quantity.canonical()).as_ref(), Ok(&quantity), "{text}");
        let copy = quantity.clone();
        quantity += &copy;
        quantity -= &-copy;
        assert!(
            quantity.milli_value() == i64::MAX || quantity.value() <= quantity.milli_value().max(0)
        );
    }
}
