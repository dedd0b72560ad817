//! Style and scripts of certificates, out of the binary.
//!
//! Their folder is named by what is in them: a page always gets the files that it was made with, and
//! a browser keeps them for good.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, HeaderValue, VARY};
use axum::response::Response;
use rust_embed::Embed;

use crate::crypto::sha256_parts;
use crate::http::assets::media_type;
use crate::http::certificates::encoding::Encoded;
use crate::http::headers::IfNoneMatch;

/// The module that begins; the others follow from its imports.
#[cfg(feature = "console")]
const FIRST_MODULE: &str = "page.mjs";
/// Compressed once, when the server starts.
const BEST: u32 = 9;

/// Our own files.
#[derive(Embed)]
#[folder = "static/certificate/"]
pub(in crate::http) struct Own;

/// The modules of the check as build.rs laid them out: ours and those of npm packages, without comments.
/// They take the place of those of the same name.
#[cfg(feature = "console")]
#[derive(Embed)]
#[folder = "static/node_modules/.cache/patchproof/certificate"]
pub(in crate::http) struct Vendored;

/// All files, ready to be sent.
pub(super) struct Assets {
    folder: String,
    modules: Vec<String>,
    files: BTreeMap<String, Encoded>,
}

fn collect<T: Embed>(files: &mut BTreeMap<String, Cow<'static, [u8]>>) {
    for name in T::iter() {
        if let Some(file) = T::get(&name) {
            files.insert(name.into_owned(), file.data);
        }
    }
}

impl Assets {
    /// Takes them out of the binary.
    pub(super) fn embedded() -> Self {
        let mut files = BTreeMap::new();
        collect::<Own>(&mut files);
        #[cfg(feature = "console")]
        collect::<Vendored>(&mut files);
        let parts: Vec<&[u8]> =
            files.iter().flat_map(|(name, data)| [name.as_bytes(), data.as_ref()]).collect();
        let folder = format!("/certificates/assets/{}", hex::encode(&sha256_parts(&parts)[..8]));
        let modules = modules(files.keys().map(String::as_str), &folder);
        let encoded = |(name, data): (String, Cow<'static, [u8]>)| {
            let file = Encoded::new(data.into_owned(), media_type(&name), BEST);
            (name, file)
        };
        Self { folder, modules, files: files.into_iter().map(encoded).collect() }
    }

    /// Returns the path of their folder.
    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    /// Returns the paths of the modules of the check, the one that begins first; none where the
    /// build has none.
    pub(super) fn modules(&self) -> &[String] {
        &self.modules
    }

    /// Answers with a file, if there is one of that name in that folder.
    pub(super) fn answer(
        &self,
        version: &str,
        name: &str,
        known: &IfNoneMatch,
        headers: &HeaderMap,
    ) -> Option<Response> {
        let file =
            self.files.get(name).filter(|_| self.folder.ends_with(&format!("/{version}")))?;
        let mut answer = file.give(known, headers);
        let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
        answer.headers_mut().insert(CACHE_CONTROL, kept);
        answer.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        Some(answer)
    }
}

#[cfg(feature = "console")]
fn modules<'a>(names: impl Iterator<Item = &'a str>, folder: &str) -> Vec<String> {
    let is_script = |name: &&str| media_type(name).starts_with("text/javascript");
    let mut modules: Vec<&str> = names.filter(is_script).collect();
    modules.sort_by_key(|name| *name != FIRST_MODULE);
    modules.into_iter().map(|name| format!("{folder}/{name}")).collect()
}

#[cfg(not(feature = "console"))]
fn modules<'a>(_: impl Iterator<Item = &'a str>, _: &str) -> Vec<String> {
    Vec::new()
}
