//! What the console is given to watch, beside the services.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::app::logging;
use crate::service::logs::LogBuffer;
use crate::service::system::Doctor;

/// What the console is given to watch. The default is a store in no folder, a log that nobody writes
/// and no doctor.
#[derive(Clone, Default)]
pub struct ConsoleSide {
    /// The folder of the store.
    pub data_dir: Option<PathBuf>,
    /// The newest lines of the log.
    pub logs: LogBuffer,
    /// Examines the machine.
    pub doctor: Option<Arc<dyn Doctor>>,
}

impl ConsoleSide {
    /// Watches the log of this process and a store in a folder, without a doctor.
    pub fn of(data_dir: &Path) -> Self {
        Self { data_dir: Some(data_dir.to_owned()), logs: logging::kept(), doctor: None }
    }
}
