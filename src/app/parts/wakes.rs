//! What one part wakes in another.

use std::sync::Arc;

use crate::app::parts::Parts;
use crate::service::registration::Wake;

impl Parts {
    pub(in crate::app) fn wake_pipeline(&self) -> Wake {
        let pipeline = Arc::clone(&self.wakes.pipeline);
        Arc::new(move || pipeline.notify_one())
    }

    pub(in crate::app) fn wake_all(&self) -> Wake {
        let wakes = self.wakes.clone();
        Arc::new(move || {
            wakes.pipeline.notify_one();
            wakes.chain.notify_one();
        })
    }

    pub(in crate::app) fn wake_maintenance(&self) -> Wake {
        let maintenance = Arc::clone(&self.wakes.maintenance);
        Arc::new(move || maintenance.notify_one())
    }

    pub(in crate::app) fn wake_batches(&self) -> Wake {
        let batches = Arc::clone(&self.wakes.batches);
        Arc::new(move || batches.notify_one())
    }

    pub(in crate::app) fn wake_shortage(&self) -> Wake {
        let shortage = Arc::clone(&self.wakes.shortage);
        Arc::new(move || shortage.notify_one())
    }
}
