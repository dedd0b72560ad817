//! How far the events of the sample have come.

/// How far an event of the sample has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Accepted,
    /// Its first transaction died; it starts again.
    DiedOnce,
    HeldBySigner,
    Reserved,
    Signed,
    HeldByFee,
    Seen,
    Mined,
    Final,
    /// Lost its block and is sent again.
    Reorganised,
    Failed,
}

impl Way {
    pub(super) const ALL: [Self; 11] = [
        Self::Accepted,
        Self::DiedOnce,
        Self::HeldBySigner,
        Self::Reserved,
        Self::Signed,
        Self::HeldByFee,
        Self::Seen,
        Self::Mined,
        Self::Final,
        Self::Reorganised,
        Self::Failed,
    ];

    /// The network has taken its transaction at some time.
    pub(super) const fn is_settled(self) -> bool {
        matches!(self, Self::Seen | Self::Mined | Self::Final | Self::Reorganised)
    }

    pub(super) const fn has_transaction(self) -> bool {
        self.is_settled() || matches!(self, Self::Signed | Self::HeldByFee)
    }

    pub(super) const fn had_transaction(self) -> bool {
        matches!(self, Self::DiedOnce | Self::Failed)
    }
}
