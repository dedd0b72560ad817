//! The console at `/admin`: one page, whatever lies below it, and its files out of the binary.
//!
//! The folder of the files is named by what is in them: a page always gets the files that it was
//! made with, and a browser keeps them for good. docs/CONSOLE.md has the whole. A build without the
//! feature `console` says that it has none.

#[cfg(feature = "console")]
#[path = "console/files.rs"]
mod page;
#[cfg(not(feature = "console"))]
#[path = "console/none.rs"]
mod page;

use axum::Router;

/// Returns the routes of the page and of its files.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    page::routes()
}
