//! One run in the history: what is kept of a sample for as long as raw data is kept. Who ran what is the series; texts
//! (addresses, evidence, trace ids) are kept elsewhere.

use wire::{
    Micros,
    sample::{Flag, Outcome, Phases, Sample, StepResult, Trigger},
};

/// Starts are kept in steps of so many microseconds. Clocks of different machines do not agree any better, and what is
/// below is the noise of timers, which takes more than six bits a row. Durations are kept to the microsecond.
pub const START_STEP_US: i64 = 100;

/// The start that is kept of a run that began at `at`, microseconds: never later, and less than [`START_STEP_US`] before.
pub fn kept_start(at: Micros) -> i64 {
    at.0.saturating_sub(at.0.rem_euclid(START_STEP_US))
}

/// One run of a series, or of one step of a journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// When it started, microseconds since 1970, corrected for the probe's clock, in steps of [`START_STEP_US`].
    pub at: i64,
    /// How late it started, `started - scheduled`, in steps of [`START_STEP_US`]; never negative.
    pub delay_us: u32,
    pub outcome: Outcome,
    /// It succeeded and took longer than the check's budget.
    pub slow: bool,
    /// From the start to the end; 0 for a missed run.
    pub total_us: u32,
    pub phases: Phases,
    /// The HTTP status.
    pub status: Option<u16>,
    /// Body bytes read.
    pub bytes: Option<u32>,
    pub flags: Flags,
    pub trigger: Trigger,
    /// Above 1 only for the repeated runs of a confirmation.
    pub attempt: u16,
}

impl Row {
    /// What is kept of a sample; `at` is its start by the collector's reckoning.
    pub fn of(sample: &Sample, at: Micros) -> Row {
        let row = Row {
            at: at.0,
            delay_us: delay_us(sample),
            outcome: sample.outcome,
            slow: sample.slow,
            total_us: sample.total_us,
            phases: sample.phases,
            status: sample.status,
            bytes: sample.bytes,
            flags: sample.flags.iter().copied().collect(),
            trigger: sample.trigger,
            attempt: sample.attempt,
        };
        row.kept()
    }

    /// With its start and its slot in steps of [`START_STEP_US`], so that slots stay evenly spaced.
    pub fn kept(self) -> Row {
        let slot = kept_start(Micros(self.at.saturating_sub(self.delay_us.into())));
        let at = kept_start(Micros(self.at));
        Row { at, delay_us: u32::try_from(at.saturating_sub(slot)).unwrap_or(u32::MAX), ..self }
    }

    /// What is kept of a journey's step. When it started is not known apart: `at` is that of the run.
    pub fn of_step(step: &StepResult, sample: &Sample, at: Micros) -> Row {
        Row {
            outcome: step.outcome,
            slow: false,
            total_us: step.total_us,
            phases: step.phases,
            status: step.status,
            bytes: None,
            ..Row::of(sample, at)
        }
    }
}

fn delay_us(sample: &Sample) -> u32 {
    // Never negative; more than 71 minutes are 71 minutes.
    u32::try_from(sample.schedule_delay_us()).unwrap_or(u32::MAX)
}

/// A set of [`Flag`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u8);

const FLAGS: [Flag; 5] =
    [Flag::LateStart, Flag::ClockStepped, Flag::CpuSaturated, Flag::ResolverFailing, Flag::Blind];

impl Flags {
    /// The set as bits, one for each flag in the order of their declaration; stored, so it never changes.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The set of these bits; absent when one of them is no flag.
    pub fn from_bits(bits: u8) -> Option<Flags> {
        (bits >> FLAGS.len() == 0).then_some(Flags(bits))
    }

    /// Whether there is none: the sample counts in full.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `flag` is among them.
    pub fn contains(self, flag: Flag) -> bool {
        self.0 & bit(flag) != 0
    }

    /// The flags, in the order of their declaration.
    pub fn iter(self) -> impl Iterator<Item = Flag> {
        FLAGS.into_iter().filter(move |&flag| self.contains(flag))
    }
}

impl FromIterator<Flag> for Flags {
    fn from_iter<I: IntoIterator<Item = Flag>>(flags: I) -> Self {
        Flags(flags.into_iter().fold(0, |bits, flag| bits | bit(flag)))
    }
}

fn bit(flag: Flag) -> u8 {
    match flag {
        Flag::LateStart => 1,
        Flag::ClockStepped => 2,
        Flag::CpuSaturated => 4,
        Flag::ResolverFailing => 8,
        Flag::Blind => 16,
    }
}

#[cfg(test)]
mod tests;
