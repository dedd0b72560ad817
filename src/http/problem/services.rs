//! What each service's errors are to a client: exhaustive, so that a new error shows up here.

use crate::http::problem::{Problem, ProblemCode};
use crate::patch::claim::NonceRejection;
use crate::patch::record::FieldError as RecordFieldError;
use crate::service::StoreError;
use crate::service::accounts::AccountError;
use crate::service::api_keys::ApiKeyError;
use crate::service::batches::BatchError;
use crate::service::claims::ClaimError;
use crate::service::email_codes::EmailCodeError;
use crate::service::idempotency::IdempotencyError;
use crate::service::imports::{ImportError, MAX_ROWS};
use crate::service::log::LogError;
use crate::service::login::LoginError;
use crate::service::passwords::Busy;
use crate::service::registration::RegistrationError;
use crate::service::sessions::SessionError;
use crate::service::settings::SettingsError;
use crate::service::transfer::TransferError;
use crate::service::unlock::UnlockError;

/// Fields that break a rule, each with what it must be.
pub fn invalid_fields(fields: Vec<RecordFieldError>) -> Problem {
    fields.into_iter().fold(Problem::new(ProblemCode::ValidationFailed), |problem, error| {
        problem.field(error.field, error.message)
    })
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Full => ProblemCode::StorageFull,
            StoreError::Failed(_) | StoreError::InUse => ProblemCode::StorageUnavailable,
            StoreError::Closed => ProblemCode::ShuttingDown,
            StoreError::TooNew { .. }
            | StoreError::OtherIdentity { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Missing { .. }
            | StoreError::Transition(_)
            | StoreError::Panicked => {
                tracing::error!(%error, "the store does not hold what it must");
                ProblemCode::Internal
            }
        };
        Self::new(code)
    }
}

impl From<IdempotencyError> for Problem {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::Mismatch => Self::new(ProblemCode::IdempotencyMismatch),
            IdempotencyError::InFlight => {
                Self::new(ProblemCode::IdempotencyInFlight).retry_after(1)
            }
            IdempotencyError::Lost => Self::new(ProblemCode::IdempotencyAnswerLost),
            IdempotencyError::Store(store) => store.into(),
        }
    }
}

impl From<RegistrationError> for Problem {
    fn from(error: RegistrationError) -> Self {
        match error {
            RegistrationError::UidTaken => Self::new(ProblemCode::UidTaken)
                .field("product.uid_tag_id", "is registered already"),
            RegistrationError::Idempotency(error) => error.into(),
            RegistrationError::Canonical(error) => internal(&error),
            RegistrationError::Store(store) => store.into(),
        }
    }
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::File(fault) => Self::invalid_field("body", fault.to_string()),
            ImportError::TooManyRows => {
                Self::invalid_field("body", format!("must have at most {MAX_ROWS} rows; divide it"))
            }
            ImportError::Full { kept, bytes } => {
                Self::new(ProblemCode::ImportsFull).detail(format!(
                    "{kept} imports with files of {} MiB are kept; there is no room for another.",
                    bytes / (1024 * 1024)
                ))
            }
            ImportError::NotFound => {
                Self::new(ProblemCode::NotFound).detail("There is no such import.")
            }
            ImportError::BadRows { bad } => Self::new(ProblemCode::StateConflict).detail(format!(
                "{bad} rows are not acceptable. Correct the file, or start with skipBad=true."
            )),
            ImportError::WrongState(state) => Self::new(ProblemCode::StateConflict)
                .detail(format!("The import is {}; that cannot be done now.", state.as_str())),
            ImportError::Registration(error) => error.into(),
            ImportError::Store(store) => store.into(),
        }
    }
}

impl From<ApiKeyError> for Problem {
    fn from(error: ApiKeyError) -> Self {
        match error {
            ApiKeyError::NotFound => {
                Self::new(ProblemCode::NotFound).detail("There is no such API key.")
            }
            ApiKeyError::Revoked => {
                Self::new(ProblemCode::StateConflict).detail("The API key was revoked.")
            }
            ApiKeyError::NotYours(scope) => Self::new(ProblemCode::Forbidden)
                .detail(format!("Your own key lacks the scope {scope}, so you cannot give it.")),
            ApiKeyError::Shop => Self::invalid_field(
                "shop",
                "must be the address of the shop where scopes has pos, and absent elsewhere",
            ),
            ApiKeyError::Store(store) => store.into(),
        }
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        let conflict = |detail| Self::new(ProblemCode::StateConflict).detail(detail);
        match error {
            AccountError::NotFound => {
                Self::new(ProblemCode::NotFound).detail("There is no such account.")
            }
            AccountError::NameTaken => {
                conflict("Another account has this name.").field("name", "is taken")
            }
            AccountError::Shop => Self::invalid_field(
                "shop",
                "must be the address of the shop where the role is cashier, and absent elsewhere",
            ),
            AccountError::LastAdmin => Self::new(ProblemCode::LastAdmin),
            AccountError::AlreadySetUp => conflict(
                "There are accounts already. An admin makes others; patchproof admin reset NAME \
                 gives one a link to set a new password.",
            ),
            AccountError::TooMany => conflict("There are as many accounts as there may be."),
            AccountError::LinkGone => Self::new(ProblemCode::LinkGone),
            AccountError::NameNeeded => Self::invalid_field(
                "name",
                "is required with the link of the set-up, and absent with that of an account",
            ),
            AccountError::WrongPassword => {
                Self::invalid_field("old", "must be the present password")
            }
            AccountError::Password(error) => Self::invalid_field("password", error.to_string()),
            AccountError::Busy(error) => error.into(),
            AccountError::Store(store) => store.into(),
        }
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::NotAccepted => Self::new(ProblemCode::LoginFailed),
            SessionError::NotFound => {
                Self::new(ProblemCode::NotFound).detail("There is no such session.")
            }
            SessionError::NoLoginKey => Self::new(ProblemCode::Forbidden)
                .detail("The token is not from a login with a key (SVD)."),
            SessionError::KeyTaken => {
                Self::new(ProblemCode::StateConflict).detail("The login key opens another account.")
            }
            SessionError::NotByPassword => Self::new(ProblemCode::Forbidden)
                .detail("Log in with the password to link another login key."),
            SessionError::TooManyKeys => {
                Self::new(ProblemCode::StateConflict).detail(error.to_string())
            }
            SessionError::NoSuchKey => Self::new(ProblemCode::NotFound).detail(error.to_string()),
            SessionError::Busy(error) => error.into(),
            SessionError::Store(store) => store.into(),
        }
    }
}

impl From<Busy> for Problem {
    fn from(_: Busy) -> Self {
        Self::new(ProblemCode::Overloaded)
            .detail("Too many people log in at this moment. Repeat the request in a few seconds.")
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::BadChallenge => Self::new(ProblemCode::SvdBadChallenge),
            LoginError::Expired => Self::new(ProblemCode::SvdExpired),
            LoginError::Replayed => Self::new(ProblemCode::SvdReplayed),
            LoginError::InvalidSignature => Self::new(ProblemCode::SvdInvalidSignature),
            LoginError::NoKey => Self::new(ProblemCode::SvdNoPmc),
            LoginError::DuplicateKey => Self::new(ProblemCode::DuplicatePmc),
            LoginError::SignerUnavailable => Self::new(ProblemCode::SignerUnavailable),
            LoginError::Token(error) => internal(&error),
            LoginError::Store(store) => store.into(),
        }
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Signer(_) => Self::new(ProblemCode::SignerUnavailable),
            LogError::Rewritten(error) => internal(&error),
            LogError::Name(error) => internal(&error),
            LogError::Store(store) => store.into(),
        }
    }
}

impl From<EmailCodeError> for Problem {
    fn from(error: EmailCodeError) -> Self {
        match error {
            EmailCodeError::NotAccepted => Self::new(ProblemCode::EmailCodeInvalid),
            EmailCodeError::Token(error) => internal(&error),
            EmailCodeError::Store(store) => store.into(),
        }
    }
}

impl From<TransferError> for Problem {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::NotFound => Self::new(ProblemCode::NotFound)
                .detail("No product has a custody event in this transaction."),
            TransferError::NotOwner => Self::new(ProblemCode::NotOwner),
            TransferError::BadSignature => Self::new(ProblemCode::InvalidSignature),
            TransferError::StateMoved => Self::new(ProblemCode::StateConflict),
            TransferError::Disputed(_) => {
                Self::new(ProblemCode::StateConflict).detail(format!("In the meantime {error}."))
            }
            TransferError::TooManyProducts => Self::invalid_field(
                "uid_tag_id",
                "must be given: the owner has too many products in this batch to try them all",
            ),
            TransferError::SameOwner => {
                Self::invalid_field("newOwnerAddress", "must not be the present owner's address")
            }
            TransferError::Idempotency(error) => error.into(),
            TransferError::Canonical(error) => internal(&error),
            TransferError::Store(store) => store.into(),
        }
    }
}

impl From<BatchError> for Problem {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Signer(error) => {
                tracing::warn!(%error, "no batch was formed");
                Self::new(ProblemCode::SignerUnavailable)
                    .detail("The signer signs none of the records that wait. They wait on.")
            }
            BatchError::Store(store) => store.into(),
        }
    }
}

impl From<ClaimError> for Problem {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::NoSuchProduct => Self::new(ProblemCode::NotFound)
                .detail("Nobody has registered this tag, or it is not on the network yet."),
            ClaimError::NoSuchClaim => Self::new(ProblemCode::NotFound)
                .detail("There is no such claim, or it ended so long ago that it is forgotten."),
            ClaimError::Unclaimable(error) => Self::invalid_field("uid_tag_id", error.to_string()),
            ClaimError::Nonce(NonceRejection::NotIssued) => {
                Self::invalid_field("nonce", "was not given out for this tag")
            }
            ClaimError::Nonce(NonceRejection::Expired) => {
                Self::invalid_field("nonce", "has expired; ask for another claim challenge")
            }
            ClaimError::NonceUsed => Self::new(ProblemCode::StateConflict)
                .detail("Another claim was filed with this nonce. Ask for another claim challenge."),
            ClaimError::ForeignAddress => {
                Self::invalid_field("newOwnerAddress", "must be the address of newOwnerPubKey")
            }
            ClaimError::SameOwner => {
                Self::invalid_field("newOwnerAddress", "must not be the present owner's address")
            }
            ClaimError::BadSignature => Self::new(ProblemCode::InvalidSignature)
                .detail("The customer's signature does not verify over the claim message."),
            ClaimError::NoShop => Self::new(ProblemCode::Forbidden).detail(
                "The API key is bound to no shop. Make one with the scope pos and the shop's address.",
            ),
            ClaimError::NotTheShops => Self::new(ProblemCode::NotOwner)
                .detail("The product does not belong to the shop that the API key is bound to."),
            ClaimError::Approved => {
                Self::new(ProblemCode::ClaimClosed).detail("The claim was approved before.")
            }
            ClaimError::Expired => Self::new(ProblemCode::ClaimClosed)
                .detail("The claim has expired. The customer has to file another."),
            ClaimError::Overloaded => Self::new(ProblemCode::Overloaded)
                .detail("Too many claims wait. Repeat the request in a few minutes."),
            ClaimError::Transfer(transfer) => transfer.into(),
            ClaimError::Store(store) => store.into(),
        }
    }
}

impl From<SettingsError> for Problem {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Invalid(refused) => refused
                .into_iter()
                .fold(Self::new(ProblemCode::ValidationFailed), |problem, (name, message)| {
                    problem.field(name.as_str(), message)
                }),
            SettingsError::Stale => Self::new(ProblemCode::PreconditionFailed),
            SettingsError::Store(store) => store.into(),
        }
    }
}

impl From<UnlockError> for Problem {
    fn from(error: UnlockError) -> Self {
        match error {
            UnlockError::NotFound => Self::new(ProblemCode::NotFound)
                .detail("The tag is not registered, or its registration is not anchored yet."),
            UnlockError::NotOwner => Self::new(ProblemCode::NotOwner),
            UnlockError::BadSignature => Self::new(ProblemCode::InvalidSignature),
            UnlockError::NonceRequired => {
                Self::invalid_field("nonce", "is required; ask for an unlock challenge first")
            }
            UnlockError::BadNonce => Self::new(ProblemCode::InvalidSignature)
                .detail("The nonce is unknown, used or expired. Ask for a new unlock challenge."),
            UnlockError::Ciphertext => {
                Self::invalid_field("ciphertextB64", "does not open under this product's key")
            }
            UnlockError::Overloaded => Self::new(ProblemCode::Overloaded),
            UnlockError::TooLarge => Self::new(ProblemCode::PayloadTooLarge),
            UnlockError::Store(store) => store.into(),
        }
    }
}

fn internal(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "a record could not be written down");
    Problem::new(ProblemCode::Internal)
}
