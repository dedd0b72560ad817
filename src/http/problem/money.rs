//! What the errors of the pool and of those who look after it are to a client.

use crate::http::problem::{Problem, ProblemCode};
use crate::service::funding::FundingError;
use crate::service::maintenance::MaintenanceError;
use crate::service::treasury::TreasuryError;

impl From<FundingError> for Problem {
    fn from(error: FundingError) -> Self {
        match error {
            FundingError::Chain(_) => Self::new(ProblemCode::NetworkUnavailable),
            FundingError::SpendUnknown => Self::new(ProblemCode::NetworkUnavailable)
                .detail("It is not known whether the output is spent. Nothing was added."),
            FundingError::UnknownTransaction(_) => Self::new(ProblemCode::NotFound)
                .detail("The network does not know the transaction."),
            FundingError::NoSuchOutput(_) => {
                Self::new(ProblemCode::NotFound).detail("The transaction has no such output.")
            }
            FundingError::Mismatch { field, what, actual } => {
                Self::invalid_field(field, format!("the output's {what} is {actual}"))
            }
            error @ FundingError::NotOurs => Self::invalid_field("vout", error.to_string()),
            error @ (FundingError::Spent(_) | FundingError::NotAlone { .. }) => {
                Self::new(ProblemCode::StateConflict).detail(error.to_string())
            }
            FundingError::Store(store) => store.into(),
        }
    }
}

impl From<MaintenanceError> for Problem {
    fn from(error: MaintenanceError) -> Self {
        let detail = error.to_string();
        match error {
            MaintenanceError::Running(_) => {
                Self::new(ProblemCode::MaintenanceRunning).detail(detail).retry_after(2)
            }
            MaintenanceError::Fenced => Self::new(ProblemCode::StateConflict).detail(detail),
            MaintenanceError::Mismatch { field, expected } => Self::invalid_field(field, expected),
            MaintenanceError::Treasury(error) => error.into(),
            MaintenanceError::Funding(error) => error.into(),
            MaintenanceError::Store(store) => store.into(),
        }
    }
}

impl From<TreasuryError> for Problem {
    fn from(error: TreasuryError) -> Self {
        let detail = error.to_string();
        match error {
            TreasuryError::NotAvailable { .. }
            | TreasuryError::FeeCap { .. }
            | TreasuryError::Capped(_)
            | TreasuryError::NoSplit(_)
            | TreasuryError::NoSweep(_)
            | TreasuryError::ChangeToItself => Self::new(ProblemCode::StateConflict).detail(detail),
            TreasuryError::ForeignDestination(_) | TreasuryError::NotForPayments(_) => {
                Self::invalid_field("destinationAddress", detail)
            }
            TreasuryError::Unsound => {
                tracing::error!("a maintenance plan does not add up");
                Self::new(ProblemCode::Internal)
            }
            TreasuryError::Store(store) => store.into(),
        }
    }
}
