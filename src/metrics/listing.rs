//! Registers metrics and keeps the list of them, which the docs are generated from. Knows how Prometheus wants names:
//! a counter ends in `_total`, an info in `_info`, and the word before that is the unit, where there is one.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Metric, Registry, Unit},
};

/// One metric as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name as it is scraped, of a histogram without `_bucket`, `_sum` and `_count`.
    pub name: &'static str,
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: &'static str,
    /// The labels.
    pub labels: Vec<&'static str>,
    /// What it says, without a period.
    pub help: &'static str,
}

/// What has to be said of a metric to register it.
#[derive(Clone, Copy)]
pub(super) struct Entry<const N: usize> {
    pub(super) name: &'static str,
    pub(super) labels: [&'static str; N],
    pub(super) help: &'static str,
}

/// Name and value of each label. The values are words of the program, never text that a user or Azure wrote: the type
/// keeps the number of series bounded.
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Metrics of one name.
pub(super) struct Series<M, const N: usize> {
    labels: [&'static str; N],
    family: Family<Labels<N>, M, fn() -> M>,
}

pub(super) type Counters<const N: usize> = Series<Counter, N>;
pub(super) type Gauges<const N: usize> = Series<Gauge<f64, AtomicU64>, N>;
pub(super) type Histograms<const N: usize> = Series<Histogram, N>;

impl<M: Clone, const N: usize> Series<M, N> {
    fn new(labels: [&'static str; N], metric: fn() -> M) -> Self {
        let family = Family::new_with_constructor(metric);
        if N == 0 {
            // Without labels there is one series, and it is there from the start.
            let _ = family.get_or_create_owned(&std::array::from_fn(|_| ("", "")));
        }
        Self { labels, family }
    }

    /// The series with these values, in the order of the labels.
    pub(super) fn of(&self, values: [&'static str; N]) -> M {
        self.family.get_or_create_owned(&std::array::from_fn(|at| (self.labels[at], values[at])))
    }

    /// Takes every series away.
    pub(super) fn clear(&self) {
        self.family.clear();
    }
}

/// The registry while it is filled.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) registry: Registry,
    pub(super) listed: Vec<Listed>,
}

impl Listing {
    pub(super) fn counter<const N: usize>(&mut self, entry: Entry<N>) -> Counters<N> {
        let series = Series::new(entry.labels, Counter::default);
        self.register(entry, "counter", series.family.clone());
        series
    }

    pub(super) fn gauge<const N: usize>(&mut self, entry: Entry<N>) -> Gauges<N> {
        let series = Series::new(entry.labels, Gauge::default);
        self.register(entry, "gauge", series.family.clone());
        series
    }

    pub(super) fn histogram<const N: usize>(&mut self, entry: Entry<N>, metric: fn() -> Histogram) -> Histograms<N> {
        let series = Series::new(entry.labels, metric);
        self.register(entry, "histogram", series.family.clone());
        series
    }

    /// A constant whose labels say something.
    pub(super) fn info<const N: usize>(&mut self, entry: Entry<N>, values: [&'static str; N]) {
        let labels: Labels<N> = std::array::from_fn(|at| (entry.labels[at], values[at]));
        self.register(entry, "info", Info::new(labels));
    }

    fn register<const N: usize>(&mut self, entry: Entry<N>, kind: &'static str, metric: impl Metric) {
        let Entry { name, labels, help } = entry;
        // The registry puts the suffixes on again.
        let stem = name.trim_end_matches("_total").trim_end_matches("_info");
        if let Some(stem) = stem.strip_suffix("_seconds") {
            self.registry.register_with_unit(stem, help, Unit::Seconds, metric);
        } else if let Some(stem) = stem.strip_suffix("_bytes") {
            self.registry.register_with_unit(stem, help, Unit::Bytes, metric);
        } else {
            self.registry.register(stem, help, metric);
        }
        self.listed.push(Listed { name, kind, labels: labels.to_vec(), help });
    }
}
