//! One bound against one amount, with upstream's words.

use apimachinery::quantity::Quantity;

/// What someone asks for of one resource.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    kind: &'a str,
    name: &'a str,
    request: Option<&'a Quantity>,
    limit: Option<&'a Quantity>,
}

/// Checks a bound; gives the complaint.
pub(super) type Check = fn(&Asked<'_>, &Quantity) -> Option<String>;

pub(super) fn ask<'a>(
    kind: &'a str,
    name: &'a str,
    request: Option<&'a Quantity>,
    limit: Option<&'a Quantity>,
) -> Asked<'a> {
    Asked { kind, name, request, limit }
}

impl Asked<'_> {
    fn usage(&self, extreme: &str, bound: &Quantity, rest: &str) -> Option<String> {
        Some(format!("{extreme} {} usage per {} is {bound}{rest}", self.name, self.kind))
    }
}

/// `min`
pub(super) fn at_least(asked: &Asked<'_>, bound: &Quantity) -> Option<String> {
    let Some(request) = asked.request else {
        return asked.usage("minimum", bound, ".  No request is specified.");
    };
    if request < bound {
        return asked.usage("minimum", bound, &format!(", but request is {request}."));
    }
    let limit = asked.limit.filter(|limit| *limit < bound)?;
    asked.usage("minimum", bound, &format!(", but limit is {limit}."))
}

/// `max`
pub(super) fn at_most(asked: &Asked<'_>, bound: &Quantity) -> Option<String> {
    let Some(limit) = asked.limit else {
        return asked.usage("maximum", bound, ".  No limit is specified.");
    };
    if limit > bound {
        return asked.usage("maximum", bound, &format!(", but limit is {limit}."));
    }
    let request = asked.request.filter(|request| *request > bound)?;
    asked.usage("maximum", bound, &format!(", but request is {request}."))
}

/// `max` of what has requests only.
pub(super) fn request_at_most(asked: &Asked<'_>, bound: &Quantity) -> Option<String> {
    let Some(request) = asked.request else {
        return asked.usage("maximum", bound, ".  No request is specified.");
    };
    let request = Some(request).filter(|request| *request > bound)?;
    asked.usage("maximum", bound, &format!(", but request is {request}."))
}

/// `maxLimitRequestRatio`
pub(super) fn ratio(asked: &Asked<'_>, bound: &Quantity) -> Option<String> {
    let complain = |rest: &str| {
        let (name, kind) = (asked.name, asked.kind);
        Some(format!("{name} max limit to request ratio per {kind} is {bound}, but {rest}"))
    };
    let Some(request) = asked.request.filter(|request| !request.is_zero()) else {
        return complain("no request is specified or request is 0.");
    };
    let Some(limit) = asked.limit.filter(|limit| !limit.is_zero()) else {
        return complain("no limit is specified or limit is 0.");
    };
    #[expect(clippy::cast_precision_loss, reason = "upstream compares floating point numbers")]
    let (actual, most) = (
        limit.milli_value() as f64 / request.milli_value() as f64,
        bound.milli_value() as f64 / 1000.0,
    );
    if actual <= most {
        return None;
    }
    complain(&format!("provided ratio is {actual:.6}."))
}
