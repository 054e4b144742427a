//! The disk where it can be written, and memory for while it cannot: a full disk must not end a probe, and what it
//! measures still goes to the collector.

use super::{Spool, SpoolError, Spooled, memory::Memory};
use crate::complaint::Complaint;
use runtime::clock::SharedClock;
use std::{
    error::Error,
    path::PathBuf,
    time::{Duration, Instant},
};
use tracing::{error, info};
use wire::report::Report;

/// How long the disk is left alone after it refused.
const RETRY: Duration = Duration::from_secs(1);

/// Where reports wait.
pub struct Store {
    disk: Disk,
    memory: Memory,
    clock: SharedClock,
    /// Why the disk is not used, and since when.
    trouble: Option<(String, Instant)>,
    complaint: Complaint,
}

enum Disk {
    Open(Box<Spool>),
    /// It could not be opened yet.
    Shut {
        folder: PathBuf,
        cap: u64,
    },
}

impl Store {
    /// A store over an open spool.
    pub fn over(spool: Spool, clock: SharedClock) -> Store {
        Store {
            disk: Disk::Open(Box::new(spool)),
            memory: Memory::default(),
            clock,
            trouble: None,
            complaint: Complaint::default(),
        }
    }

    /// Opens the spool, see [`Spool::open`]; where the disk refuses, begins in memory.
    ///
    /// # Errors
    /// When it is another process's, or a newer version wrote it: waiting would not help.
    pub fn open(folder: PathBuf, cap: u64, clock: SharedClock) -> Result<Store, SpoolError> {
        let (disk, refused) = match Spool::open(&folder, cap, clock.now()) {
            Ok(spool) => (Disk::Open(Box::new(spool)), None),
            Err(error @ SpoolError::Io { .. }) => (Disk::Shut { folder, cap }, Some(error)),
            Err(error) => return Err(error),
        };
        let mut store =
            Store { disk, memory: Memory::default(), clock, trouble: None, complaint: Complaint::default() };
        if let Some(error) = refused {
            store.refused(&error);
        }
        Ok(store)
    }

    /// Keeps what a report carries: on disk, where it survives a power failure when this returns, or else in memory.
    /// The report's own number counts for nothing.
    pub fn append(&mut self, report: &Report) {
        let due = self.trouble.as_ref().is_none_or(|(_, since)| since.elapsed() >= RETRY);
        if due {
            match self.write(report) {
                Ok(()) => return self.settled(),
                Err(error) => self.refused(&error),
            }
        }
        self.memory.append(report, self.clock.now());
    }

    fn write(&mut self, report: &Report) -> Result<(), SpoolError> {
        if let Disk::Shut { folder, cap } = &self.disk {
            self.disk = Disk::Open(Box::new(Spool::open(folder, *cap, self.clock.now())?));
        }
        let Disk::Open(spool) = &mut self.disk else { unreachable!("opened above") };
        spool.note_lost(self.memory.take_lost());
        if !report.samples.is_empty() {
            spool.append(&report.probe, &report.samples)?;
        }
        if !report.mesh.is_empty() {
            spool.append_windows(&report.probe, &report.mesh)?;
        }
        Ok(())
    }

    fn refused(&mut self, error: &SpoolError) {
        if self.complaint.is_due() {
            error!(
                error = error as &dyn Error,
                held = self.memory.samples(),
                "samples cannot be spooled: they are held in memory and would be lost with this process"
            );
        }
        self.trouble = Some((error.to_string(), Instant::now()));
    }

    fn settled(&mut self) {
        self.trouble = None;
        if self.complaint.settle() {
            info!("the disk takes samples again");
        }
    }

    /// The reports to send next: those in memory first, because they would be lost with the process.
    ///
    /// # Errors
    /// As [`Spool::peek`].
    pub fn peek(&mut self, max_reports: usize, max_bytes: usize) -> Result<Vec<Spooled>, SpoolError> {
        match &mut self.disk {
            _ if !self.memory.is_empty() => Ok(self.memory.peek(max_reports, max_bytes)),
            Disk::Open(spool) => spool.peek(max_reports, max_bytes),
            Disk::Shut { .. } => Ok(Vec::new()),
        }
    }

    /// See [`Spool::commit`].
    ///
    /// # Errors
    /// As there.
    pub fn commit(&mut self, sequence: i64) -> Result<(), SpoolError> {
        match &mut self.disk {
            _ if Memory::owns(sequence) => self.memory.commit(sequence),
            Disk::Open(spool) => spool.commit(sequence)?,
            Disk::Shut { .. } => {}
        }
        Ok(())
    }

    /// See [`Spool::give_up`].
    ///
    /// # Errors
    /// As there.
    pub fn give_up(&mut self, sequence: i64) -> Result<(), SpoolError> {
        match &mut self.disk {
            _ if Memory::owns(sequence) => self.memory.give_up(sequence),
            Disk::Open(spool) => spool.give_up(sequence)?,
            Disk::Shut { .. } => {}
        }
        Ok(())
    }

    /// Counts samples that were lost elsewhere.
    pub fn note_lost(&mut self, samples: u64) {
        self.memory.note_lost(samples);
        if let Disk::Open(spool) = &mut self.disk {
            spool.note_lost(self.memory.take_lost());
        }
    }

    /// Samples lost so far, as far as is known.
    pub fn lost(&self) -> u64 {
        let disk = if let Disk::Open(spool) = &self.disk { spool.lost() } else { 0 };
        disk.saturating_add(self.memory.lost())
    }

    /// The disk that is taken, bytes.
    pub fn bytes(&self) -> u64 {
        if let Disk::Open(spool) = &self.disk { spool.bytes() } else { 0 }
    }

    /// Samples that are in memory only.
    pub fn held(&self) -> u64 {
        self.memory.samples()
    }

    /// Why the disk is not used.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_ref().map(|(why, _)| why.as_str())
    }
}
