//! What Azure Monitor counts of the sources of triggers: one metric of one entity, in a few steps.

use azure_core::http::Method;
use jiff::Timestamp;
use serde_json::Value;

use super::{Azure, reads::absent};
use crate::{
    catalog::counted::{Count, Counted, ENTITY},
    model::{
        Failure, FailureClass,
        work::{STEP, STEPS, Span, Work},
    },
};

/// The newest stable api-version (`docs/adr/0003`).
const METRICS: &str = "2024-02-01";

impl Azure {
    /// What a source had in that time; none when it was not counted, or not in all of it. It takes the right
    /// `Microsoft.Insights/metrics/read` at the namespace, which `Reader` and `Monitoring Reader` have.
    ///
    /// The specification is `Metrics_List` (Azure/azure-rest-api-specs, `specification/monitor/resource-manager
    /// /Microsoft.Insights/stable/2024-02-01/metrics_API.json`).
    pub async fn work(&self, source: &Counted, span: Span) -> Result<Option<Work>, Failure> {
        let Counted { entity, namespace, count } = source;
        let path = format!("{namespace}/providers/Microsoft.Insights/metrics");
        let moment = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut url = self.arm.url(&path, METRICS);
        url.query_pairs_mut()
            .append_pair("timespan", &format!("{}/{}", moment(span.from), moment(span.to)))
            .append_pair("interval", &format!("PT{}M", STEP.as_mins()))
            .append_pair("metricnames", count.metric())
            .append_pair("aggregation", count.aggregation())
            .append_pair("$filter", &format!("{ENTITY} eq '{}'", entity.name().replace('\'', "''")));
        let Some(answer) = absent(self.arm.execute(Method::Get, url, None).await)? else { return Ok(None) };
        let what = format!("GET {path}");
        read(&answer.json(&what)?, &what, source, span)
    }
}

/// Reads an answer. Steps without a value were not counted, which is not the same as zero.
fn read(answer: &Value, what: &str, source: &Counted, span: Span) -> Result<Option<Work>, Failure> {
    let metrics = answer["value"].as_array().ok_or_else(|| {
        Failure::new(FailureClass::Bug, "UndecodableAnswer", format!("the answer to {what} has no list of metrics"))
    })?;
    let count = source.count;
    let is = |value: &Value, word: &str| value.as_str().is_some_and(|own| own.eq_ignore_ascii_case(word));
    let Some(metric) = metrics.iter().find(|metric| is(&metric["name"]["value"], count.metric())) else {
        return Ok(None);
    };
    // A metric may fail alone, in an answer that is a success.
    if let Some(code) = metric["errorCode"].as_str().filter(|code| !code.eq_ignore_ascii_case("Success")) {
        let because = metric["errorMessage"].as_str().and_then(|text| text.lines().next()).unwrap_or("no reason");
        let text = format!("{what} has no `{}`: {code}: {}", count.metric(), because.trim_end_matches('.'));
        return Err(Failure::new(FailureClass::Transient, "MetricFailed", text));
    }
    let is_own = |series: &&Value| {
        let told = series["metadatavalues"].as_array().into_iter().flatten();
        let mut entities = told.filter(|one| is(&one["name"]["value"], ENTITY));
        entities.any(|one| is(&one["value"], source.entity.name()))
    };
    let Some(series) = metric["timeseries"].as_array().into_iter().flatten().find(is_own) else { return Ok(None) };
    let steps = series["data"].as_array().into_iter().flatten().filter_map(|step| {
        let at = step["timeStamp"].as_str()?.parse::<Timestamp>().ok()?;
        let counted = whole(&step[count.aggregation()])?;
        (span.from <= at && at < span.to).then_some((at, counted))
    });
    let mut steps: Vec<_> = steps.collect();
    steps.sort_unstable();
    Ok(match count {
        // Of a step that is missing nobody knows how many waited in it.
        Count::Waiting if steps.len() < STEPS => None,
        Count::Waiting => {
            let least = steps.iter().map(|(_, count)| *count).min();
            least.zip(steps.last()).map(|(least, (_, last))| Work::Waiting { least, last: *last })
        }
        Count::Arriving => {
            let sum = steps.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
            (sum > 0 || steps.len() == STEPS).then_some(Work::Arrived(sum))
        }
    })
}

/// A count. Azure writes it with a fraction that is zero; one below zero is none.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| format!("{:.0}", value.as_f64()?).parse().ok())
}

#[cfg(test)]
mod tests;
