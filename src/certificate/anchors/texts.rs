//! The sentences of the public list of anchors.

use crate::certificate::Language;

/// Every sentence of the page.
pub(super) struct AnchorTexts {
    pub(super) kicker: &'static str,
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    pub(super) choice: &'static str,
    pub(super) everything: &'static str,
    pub(super) batches: &'static str,
    pub(super) caption: &'static str,
    pub(super) kind: &'static str,
    pub(super) records: &'static str,
    pub(super) block: &'static str,
    pub(super) hashes: &'static str,
    pub(super) transaction: &'static str,
    pub(super) commitment: &'static str,
    pub(super) registration: &'static str,
    pub(super) transfer: &'static str,
    pub(super) batch: &'static str,
    pub(super) waiting: &'static str,
    pub(super) empty: &'static str,
    pub(super) empty_advice: &'static str,
    pub(super) more: &'static str,
    pub(super) older: &'static str,
    pub(super) data: &'static str,
    pub(super) log: &'static str,
}

/// Returns the sentences of a language.
pub(super) const fn texts_of(language: Language) -> &'static AnchorTexts {
    match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
    }
}

static ENGLISH: AnchorTexts = AnchorTexts {
    kicker: "Public record",
    title: "What was anchored",
    intro: "Every transaction on the blockchain that commits to records of products. No product is named.",
    choice: "What is shown",
    everything: "Everything",
    batches: "Batches only",
    caption: "Newest first.",
    kind: "What",
    records: "Records",
    block: "Block",
    hashes: "On the blockchain",
    transaction: "Transaction",
    commitment: "Commitment ({kind})",
    registration: "Registration",
    transfer: "Transfer",
    batch: "Batch",
    waiting: "waits for its block",
    empty: "Nothing was anchored yet.",
    empty_advice: "A product appears here as soon as the network has taken its transaction.",
    more: "More",
    older: "Older ones",
    data: "As data",
    log: "Checkpoint of the log",
};

static GERMAN: AnchorTexts = AnchorTexts {
    kicker: "Öffentliches Verzeichnis",
    title: "Was verankert wurde",
    intro: "Jede Transaktion auf der Blockchain, die auf Einträge zu Produkten festlegt. Kein Produkt wird genannt.",
    choice: "Was gezeigt wird",
    everything: "Alles",
    batches: "Nur Bündel",
    caption: "Das Neueste zuerst.",
    kind: "Was",
    records: "Einträge",
    block: "Block",
    hashes: "Auf der Blockchain",
    transaction: "Transaktion",
    commitment: "Festlegung ({kind})",
    registration: "Registrierung",
    transfer: "Übergabe",
    batch: "Bündel",
    waiting: "wartet auf seinen Block",
    empty: "Noch wurde nichts verankert.",
    empty_advice: "Ein Produkt erscheint hier, sobald das Netz seine Transaktion angenommen hat.",
    more: "Mehr",
    older: "Ältere",
    data: "Als Daten",
    log: "Stand des Protokolls",
};
