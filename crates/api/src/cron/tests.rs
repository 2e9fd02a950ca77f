//! What schedules mean, and what is wrong with those that mean nothing.

use super::*;

/// The next instants of `spec` after `from`, in RFC 3339.
fn nexts(spec: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(spec, zone).unwrap();
    let mut at = Time::parse_rfc3339(from).unwrap();
    let mut found = Vec::new();
    for _ in 0..count {
        let Some(next) = schedule.next(at) else { break };
        assert!(next > at, "{spec} stands still at {}", at.rfc3339());
        found.push(next.rfc3339());
        at = next;
    }
    found
}

#[test]
fn times_come_as_crons_do() {
    let from = "2012-07-09T14:45:00Z";
    for (spec, from, next) in [
        ("0/15 * * * *", from, "2012-07-09T15:00:00Z"),
        ("0/15 * * * *", "2012-07-09T14:59:59Z", "2012-07-09T15:00:00Z"),
        ("20-35/15 * * * *", from, "2012-07-09T15:20:00Z"),
        ("*/1 * * * *", "2012-07-09T14:45:30Z", "2012-07-09T14:46:00Z"),
        ("20-35/15 * * * *", "2012-12-31T23:59:50Z", "2013-01-01T00:20:00Z"),
        ("0 0 9 apr-oct ?", "2012-07-09T23:35:00Z", "2012-08-09T00:00:00Z"),
        ("0 0 */5 apr,aug,oct mon", "2012-07-09T23:35:00Z", "2012-08-06T00:00:00Z"),
        ("0 0 */5 oct mon", "2012-07-09T23:35:00Z", "2012-10-01T00:00:00Z"),
        ("0 0 * feb mon", "2012-07-09T23:35:00Z", "2013-02-04T00:00:00Z"),
        ("0 0 * feb mon/2", "2012-07-09T23:35:00Z", "2013-02-01T00:00:00Z"),
        ("0 0 29 feb ?", "2012-07-09T23:35:00Z", "2016-02-29T00:00:00Z"),
        ("0 0 1,15 * 5", "2018-10-11T00:00:00Z", "2018-10-12T00:00:00Z"),
        ("@hourly", from, "2012-07-09T15:00:00Z"),
        ("@daily", from, "2012-07-10T00:00:00Z"),
        ("@midnight", from, "2012-07-10T00:00:00Z"),
        ("@weekly", from, "2012-07-15T00:00:00Z"),
        ("@monthly", from, "2012-08-01T00:00:00Z"),
        ("@yearly", from, "2013-01-01T00:00:00Z"),
        ("@every 1h30m", from, "2012-07-09T16:15:00Z"),
        ("@every 10ms", from, "2012-07-09T14:45:01Z"),
    ] {
        assert_eq!(nexts(spec, "", from, 1), [next], "{spec} after {from}");
    }
}

#[test]
fn a_day_that_never_comes_is_given_up() {
    assert!(nexts("0 0 30 feb ?", "", "2012-07-09T23:35:00Z", 1).is_empty());
    assert!(nexts("0 0 31 apr ?", "", "2012-07-09T23:35:00Z", 1).is_empty());
}

#[test]
fn zones_are_named_in_front_or_beside() {
    let from = "2018-07-01T00:00:00Z";
    let six_in_new_york = ["2018-07-01T10:00:00Z"];
    assert_eq!(nexts("0 6 * * *", "America/New_York", from, 1), six_in_new_york);
    assert_eq!(nexts("TZ=America/New_York 0 6 * * *", "", from, 1), six_in_new_york);
    assert_eq!(nexts("CRON_TZ=America/New_York 0 6 * * *", "Asia/Tokyo", from, 1), six_in_new_york);
}

#[test]
fn clocks_that_change_skip_and_repeat() {
    // Berlin: 2018-03-25 has no 02:30, 2018-10-28 has it twice.
    let spring = nexts("30 2 * * *", "Europe/Berlin", "2018-03-24T00:00:00Z", 3);
    assert_eq!(spring, ["2018-03-24T01:30:00Z", "2018-03-26T00:30:00Z", "2018-03-27T00:30:00Z"]);
    let autumn = nexts("30 2 * * *", "Europe/Berlin", "2018-10-27T12:00:00Z", 3);
    assert_eq!(autumn, ["2018-10-28T00:30:00Z", "2018-10-28T01:30:00Z", "2018-10-29T01:30:00Z"]);
    let hourly = nexts("0 * * * *", "Europe/Berlin", "2018-03-25T00:00:00Z", 2);
    assert_eq!(hourly, ["2018-03-25T01:00:00Z", "2018-03-25T02:00:00Z"]);
    // In Sao Paulo midnight itself was skipped on 2018-11-04.
    let midnight = nexts("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", 2);
    assert_eq!(midnight, ["2018-11-05T02:00:00Z", "2018-11-06T02:00:00Z"]);
}

#[test]
fn what_is_wrong_is_said_as_upstream_says_it() {
    for (spec, problem) in [
        ("", "Empty spec string"),
        ("* * * *", "Expected exactly 5 fields, found 4: * * * *"),
        ("* 5 j * *", "Failed to parse int from j: strconv.Atoi: parsing \"j\": invalid syntax"),
        ("@unrecognized", "Unrecognized descriptor: @unrecognized"),
        ("60 0 * * *", "End of range (60) above maximum (59): 60"),
        ("0 0 0 * *", "Beginning of range (0) below minimum (1): 0"),
        ("5-3 * * * *", "Beginning of range (5) beyond end of range (3): 5-3"),
        ("1-2-3 * * * *", "Too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "Too many slashes: 1/2/3"),
        ("*/0 * * * *", "Step of range should be a positive number: */0"),
        ("* * * * 7", "End of range (7) above maximum (6): 7"),
        ("TZ=Nowhere * * * * *", "Provided bad location Nowhere: unknown time zone Nowhere"),
        ("@every x", "Failed to parse duration @every x: time: invalid duration x"),
    ] {
        assert_eq!(Schedule::parse(spec, "").map(drop), Err(problem.to_owned()), "{spec}");
    }
}
