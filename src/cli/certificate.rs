//! `patchproof certificate`: a product's certificate as a document, or its QR code as a picture.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use url::Url;

use crate::certificate::pdf::render;
use crate::certificate::{CertificateView, Language, Qr, QrKind};
use crate::cli::Surroundings;
use crate::cli::proof::{Source, refuse_wrong, write_file};
use crate::patch::tag::UidTag;

/// Make the certificate of a product: a PDF with its proof attached, or its QR code
///
/// The proof is checked before anything is written. The ending of the file says what is made.
#[derive(Debug, Args)]
pub(super) struct CertificateCommand {
    /// Tag of the product
    #[arg(value_parser = UidTag::parse)]
    uid: UidTag,
    /// File to write: .pdf the document, .svg the QR code
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Language of the document: en or de
    #[arg(long, default_value = "en", value_name = "LANGUAGE")]
    language: String,
    /// Address of the certificate, for a proof that is too long for a QR code
    #[arg(long, value_name = "URL")]
    address: Option<Url>,
    #[command(flatten)]
    source: Source,
}

impl CertificateCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let language = Language::from_tag(&self.language).context("the language is en or de")?;
        let ending = self.output.extension().and_then(|it| it.to_str()).unwrap_or_default();
        let is_document = match ending {
            "pdf" => true,
            "svg" => false,
            _ => bail!("the file's name ends in .pdf or .svg"),
        };
        let address = self.address.clone().or_else(|| self.source.certificate(&self.uid));
        let bundle = self.source.fetch(&self.uid, surroundings)?;
        let report = refuse_wrong(&bundle)?;
        let qr = Qr::new(&bundle, address.as_ref().map_or("", Url::as_str))?;
        if qr.kind == QrKind::Address && address.is_none() {
            bail!(
                "the proof is too long for a QR code; say with --address where the certificate is"
            );
        }
        let bytes = if is_document {
            render(&bundle, &CertificateView::new(&bundle, &report), language, &qr)?
        } else {
            qr.to_svg(language.texts().qr_alt).into_bytes()
        };
        write_file(&bytes, &self.output)?;
        let carried = match qr.kind {
            QrKind::Proof => "the whole proof",
            QrKind::Address => "the certificate's address",
        };
        surroundings.output.talk(&format!("the QR code carries {carried}"));
        Ok(ExitCode::SUCCESS)
    }
}
