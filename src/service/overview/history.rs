//! How the numbers of the overview were lately: a sample every ten seconds, for a day.
//!
//! In memory and bounded: 8,640 samples of 22 numbers and a time, 8 bytes each, are 1.6 MB. A restart
//! begins anew. Time is an argument.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::service::overview::Overview;
use crate::storage::{StageName, UtxoTotal};
use crate::types::Timestamp;

/// Between two samples.
pub const EVERY: Duration = Duration::from_secs(10);
/// Samples that are kept: a day.
pub const MOST_SAMPLES: usize = 8_640;
/// The most points of an answer.
pub const MOST_POINTS: usize = 300;
/// The longest time that can be asked for, in minutes.
pub const MOST_MINUTES: u32 = 24 * 60;

/// Reads a number off an overview; nothing where it is not known.
type Reading = fn(&Overview) -> Option<f64>;

/// The series by name.
const SERIES: [(&str, Reading); 22] = [
    ("records.accepted", |it| stage(it, StageName::Accepted)),
    ("records.reserved", |it| stage(it, StageName::Reserved)),
    ("records.signed", |it| stage(it, StageName::Signed)),
    ("records.seen", |it| stage(it, StageName::Seen)),
    ("records.mined", |it| stage(it, StageName::Mined)),
    ("records.final", |it| stage(it, StageName::Final)),
    ("records.held", |it| stage(it, StageName::Held)),
    ("records.failed", |it| stage(it, StageName::Failed)),
    ("records.waitingForBatch", |it| Some(number(it.waiting_for_batch))),
    ("unanchored.oldestSeconds", |it| Some(number(it.runway.oldest_unanchored_secs.unwrap_or(0)))),
    ("lag.p50Ms", |it| it.lag.map(|lag| millis(lag.p50))),
    ("lag.p95Ms", |it| it.lag.map(|lag| millis(lag.p95))),
    ("pool.availableCount", |it| pool(it, |total| total.count)),
    ("pool.availableSatoshis", |it| pool(it, |total| total.satoshis)),
    ("runway.daysLeft", |it| it.runway.days_left.ok().map(number)),
    ("chain.height", |it| it.chain.as_ref().map(|chain| f64::from(chain.height))),
    ("logins.begun", |it| Some(number(it.logins.begun))),
    ("logins.completed", |it| Some(number(it.logins.completed))),
    ("logins.failed", |it| Some(number(it.logins.failed))),
    ("mails.waiting", |it| Some(number(it.mails_waiting))),
    ("disk.freeBytes", |it| it.disk.map(|disk| number(disk.free))),
    ("alerts.count", |it| Some(number(it.alerts.len() as u64))),
];

/// A sample; what was not known is not a number.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Timestamp,
    values: [f64; SERIES.len()],
}

/// A point: seconds since 1970, the mean of its time; nothing where no number was known.
pub type Point = (i64, Option<f64>);

/// What a chart shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Seconds between two points.
    pub step: u64,
    /// Each series that was asked for, its points oldest first.
    pub series: Vec<(&'static str, Vec<Point>)>,
}

/// Keeps the samples; clones keep the same.
#[derive(Debug, Clone, Default)]
pub struct History(Arc<Mutex<VecDeque<Sample>>>);

impl History {
    /// Returns the names of the series.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SERIES.iter().map(|(name, _)| *name)
    }

    /// Keeps a sample. One that is older than the newest, because the clock was set back, ends what
    /// was kept: a chart shows one time only.
    pub fn sample(&self, overview: &Overview) {
        let values = SERIES.map(|(_, read)| read(overview).unwrap_or(f64::NAN));
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.back().is_some_and(|newest| newest.at > overview.at) {
            samples.clear();
        }
        if samples.len() == MOST_SAMPLES {
            samples.pop_front();
        }
        samples.push_back(Sample { at: overview.at, values });
    }

    /// Returns the series named in `names`, as they were in the `minutes` before `now`, in at most
    /// [`MOST_POINTS`] points each.
    pub fn chart(&self, names: &[&str], minutes: u32, now: Timestamp) -> Chart {
        let span = u64::from(minutes.clamp(1, MOST_MINUTES)) * 60;
        let step = span.div_ceil(MOST_POINTS as u64).next_multiple_of(EVERY.as_secs());
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now.minus(Duration::from_secs(span));
        let wanted: Vec<Sample> =
            samples.iter().filter(|it| since < it.at && it.at <= now).copied().collect();
        drop(samples);
        let series = SERIES.iter().enumerate().filter(|(_, (name, _))| names.contains(name));
        let series = series.map(|(at, (name, _))| (*name, points(&wanted, at, step))).collect();
        Chart { step, series }
    }

    /// Returns how many bytes the samples take.
    pub fn bytes(&self) -> usize {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        samples.capacity() * size_of::<Sample>()
    }
}

/// Averages the samples of each step. Steps begin at full multiples of their length, so that a chart
/// that is asked for again shows the same points.
fn points(samples: &[Sample], series: usize, step: u64) -> Vec<Point> {
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    let start = |sample: &Sample| sample.at.as_millis().div_euclid(1_000).div_euclid(step) * step;
    let mut points: Vec<Point> = Vec::new();
    for chunk in samples.chunk_by(|one, other| start(one) == start(other)) {
        let known = chunk.iter().map(|it| it.values[series]).filter(|value| !value.is_nan());
        let (sum, count) = known.fold((0.0, 0u32), |(sum, count), it| (sum + it, count + 1));
        let mean = (count > 0).then(|| sum / f64::from(count));
        points.extend(chunk.first().map(|first| (start(first), mean)));
    }
    // The beginning of the first step lies before what was asked for.
    if points.len() > MOST_POINTS {
        points.remove(0);
    }
    points
}

fn stage(overview: &Overview, stage: StageName) -> Option<f64> {
    Some(number(overview.in_stage(stage)))
}

fn pool(overview: &Overview, of: fn(&UtxoTotal) -> u64) -> Option<f64> {
    overview.pool.get("available").map(|total| number(of(total)))
}

#[expect(clippy::cast_precision_loss, reason = "a chart has no 53 bits of height")]
fn number(value: u64) -> f64 {
    value as f64
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::overview::{DiskNow, LoginCounts};
    use crate::service::runway::Runway;
    use crate::wallet::runway::NoRunway;

    const START: i64 = 1_790_000_000;

    fn overview(second: i64, accepted: u64) -> Overview {
        Overview {
            at: Timestamp::from_secs(START + second),
            stages: vec![(StageName::Accepted, accepted)],
            waiting_for_batch: 0,
            pool: std::collections::BTreeMap::new(),
            runway: Runway {
                days_left: Err(NoRunway::TooYoung),
                value: 0,
                spent_last_days: 0,
                fees_today: 0,
                fee_cap_per_day: None,
                is_capped: false,
                oldest_unanchored_secs: None,
                locked: std::collections::BTreeMap::new(),
                waiting_for_money: 0,
            },
            chain: None,
            lag: None,
            logins: LoginCounts::default(),
            mails_waiting: 0,
            disk: Some(DiskNow { free: 5, total: 6 }),
            alerts: Vec::new(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(START + second)
    }

    #[test]
    fn an_hour_is_shown_by_its_means_and_what_is_not_known_has_no_number() {
        let history = History::default();
        for sample in 0..360 {
            history.sample(&overview(sample * 10, u64::try_from(sample).unwrap()));
        }
        let now = at(3_599);
        let chart = history.chart(&["records.accepted", "lag.p95Ms"], 60, now);
        assert_eq!(chart.step, 20);
        let [(name, accepted), (other, lag)] = &chart.series[..] else { unreachable!() };
        assert_eq!((*name, *other), ("records.accepted", "lag.p95Ms"));
        assert_eq!(accepted.len(), 180);
        assert_eq!(accepted[1], (START + 20, Some(2.5)));
        assert!(lag.iter().all(|(_, value)| value.is_none()));
        let recent = history.chart(&["records.accepted"], 5, now);
        assert_eq!((recent.step, recent.series[0].1.len()), (10, 30));
        assert_eq!(recent.series[0].1[29], (START + 3_590, Some(359.0)));
    }

    #[test]
    fn a_day_is_kept_in_at_most_300_points_and_two_megabytes() {
        let history = History::default();
        for sample in 0..9_000 {
            history.sample(&overview(sample * 10, 1));
        }
        for minutes in [1, 7, 60, 61, 777, 1_439, 1_440] {
            let chart = history.chart(&["records.accepted"], minutes, at(89_997));
            let points = &chart.series[0].1;
            assert!((1..=MOST_POINTS).contains(&points.len()), "{minutes}: {}", points.len());
            let steps = points.windows(2).map(|pair| u64::try_from(pair[1].0 - pair[0].0));
            assert!(steps.eq((1..points.len()).map(|_| Ok(chart.step))), "{minutes}");
        }
        // What a queue reserves beside is what it needed to grow.
        assert_eq!(MOST_SAMPLES * size_of::<Sample>(), 1_589_760);
        assert!(history.bytes() < 4 * 1024 * 1024, "{}", history.bytes());
    }

    #[test]
    fn a_clock_that_is_set_back_begins_a_new_chart() {
        let history = History::default();
        history.sample(&overview(1_000, 1));
        history.sample(&overview(10, 2));
        let chart = history.chart(&["records.accepted"], 5, at(20));
        assert_eq!(chart.series[0].1, [(START + 10, Some(2.0))]);
    }
}
