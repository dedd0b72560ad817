//! Every kind of problem in one table: its code, status, title and documentation.
//!
//! Codes are stable: clients match on them. The table is rendered as docs/ERRORS.md and served
//! under /docs/errors/.

use axum::http::StatusCode;

macro_rules! problem_codes {
    ($($variant:ident $code:literal $status:ident $title:literal, $documentation:literal;)*) => {
        /// One kind of problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemCode {
            $(#[doc = $documentation] $variant,)*
        }

        impl ProblemCode {
            /// Every kind, ordered by status.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the stable name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// Returns the HTTP status.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// Returns the kind in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// Returns the paragraph that explains cause and remedy.
            pub const fn documentation(self) -> &'static str {
                match self { $(Self::$variant => $documentation,)* }
            }
        }
    };
}

problem_codes! {
    BadRequest "BAD_REQUEST" BAD_REQUEST "Bad request",
        "The message is not acceptable HTTP: a missing or second Host header, two ways of stating the body's length, a percent sign that escapes nothing, or a header that cannot be parsed. The connection may be closed. Correct the client.";
    MalformedJson "MALFORMED_JSON" BAD_REQUEST "Malformed JSON",
        "The body is not one JSON document in UTF-8. Refused are also a byte order mark, text after the document, a member name that occurs twice in one object (whatever its case), lone surrogates, numbers out of range, and nesting deeper than 64. The detail names the line and column.";
    ValidationFailed "VALIDATION_FAILED" BAD_REQUEST "Validation failed",
        "The request was understood, but some of its fields are missing, unknown or not acceptable. The member errors lists each with what it must be. Nothing was stored, so the same Idempotency-Key may be used for the corrected request.";
    SvdExpired "SVD_EXPIRED" BAD_REQUEST "Login challenge expired",
        "The login challenge is older than its time to live. Begin again.";
    SvdBadChallenge "SVD_BAD_CHALLENGE" BAD_REQUEST "Login challenge unknown",
        "The login challenge is malformed or was not issued to this user. Begin again.";
    SvdNoPmc "SVD_NO_PMC" BAD_REQUEST "No key registered",
        "No login key is registered for this user. Register one first.";
    Unauthenticated "UNAUTHENTICATED" UNAUTHORIZED "Credentials missing",
        "The route needs credentials and the request carries none: an API key in the header x-api-key, a token as Authorization: Bearer, or both, as the API reference says for the route.";
    InvalidApiKey "INVALID_API_KEY" UNAUTHORIZED "API key not accepted",
        "The API key is unknown, expired or revoked, or the header occurs more than once. Operators list and make keys with the command keys.";
    TokenInvalid "TOKEN_INVALID" UNAUTHORIZED "Token not accepted",
        "The Bearer token is malformed, expired, revoked or not ours; the answer is the same for every cause. Log in again.";
    SvdInvalidSignature "SVD_INVALID_SIGNATURE" UNAUTHORIZED "Login signature not accepted",
        "The signature over the login challenge does not verify under the user's key, or is not strict DER with a low S. The challenge stays usable until it expires.";
    EmailCodeInvalid "EMAIL_CODE_INVALID" UNAUTHORIZED "Code not accepted",
        "The code is wrong, expired, used, tried too often, or was sent for another request or mailbox; the answer is the same for every cause. Present the code of the newest mail with its requestId, or ask for a new one.";
    LoginFailed "LOGIN_FAILED" UNAUTHORIZED "Login not accepted",
        "Name or password is wrong, the account is disabled or has no password yet, or the login key belongs to no account; the answer is the same for every cause. Whoever forgot a password asks an admin for a link, or runs `patchproof admin reset NAME` on the server.";
    SessionInvalid "SESSION_INVALID" UNAUTHORIZED "Session over",
        "The session of the console is over, was ended or is not ours, or its cookie occurs twice. Log in again.";
    InsufficientFunds "INSUFFICIENT_FUNDS" PAYMENT_REQUIRED "Pool has no funds",
        "The whole pool of outputs, those under way included, cannot pay for the transaction. Nothing was registered. The operator has to fund the pool's address.";
    Forbidden "FORBIDDEN" FORBIDDEN "Not allowed",
        "The API key is valid but lacks the scope that the route needs, or the account has a role that does not grant it. Use another key or account, or have the scope added.";
    CrossOrigin "CROSS_ORIGIN" FORBIDDEN "Not from the console",
        "The request uses the session of a browser and does not come from this server's own pages: by its Origin or Sec-Fetch-Site, or because the header X-PatchProof-Console: 1 is missing. Set PUBLIC_URL to the address that stands in the browser. Programs use an API key.";
    NotOwner "NOT_OWNER" FORBIDDEN "Not the present owner",
        "The key that signed is not the key of the product's present owner.";
    InvalidSignature "INVALID_SIGNATURE" FORBIDDEN "Signature not accepted",
        "The owner's signature does not verify over the expected message: it was made for another purpose, network, product or state, or it is not strict DER with a low S.";
    NotFound "NOT_FOUND" NOT_FOUND "Not found",
        "There is no such route, or nothing is stored under this identifier.";
    MethodNotAllowed "METHOD_NOT_ALLOWED" METHOD_NOT_ALLOWED "Method not allowed",
        "The route exists, but not for this method. The header Allow lists those it takes.";
    RequestTimeout "REQUEST_TIMEOUT" REQUEST_TIMEOUT "Request body too slow",
        "The request's body did not arrive in time. The connection is closed. Send it again over a better line.";
    UidTaken "UID_TAKEN" CONFLICT "Tag already registered",
        "A product is already registered under this tag identifier. A tag is registered once, for ever.";
    StateConflict "STATE_CONFLICT" CONFLICT "State moved on",
        "The request was made for a state that is no longer the present one, or another such action is under way. Read the present state and decide again.";
    ImportsFull "IMPORTS_FULL" CONFLICT "Too many imports kept",
        "As many imports are kept as may be: 200, or files of 512 MiB together. They are forgotten by themselves 30 days after their last step. Forget some that are done (DELETE /v1/admin/imports/{id}), then send the file again; what they registered stays registered.";
    ClaimClosed "CLAIM_CLOSED" CONFLICT "Claim closed",
        "The claim was approved before, or its time is over. An approved claim led to a transfer, which its status names; for one that expired the customer files another.";
    MaintenanceRunning "MAINTENANCE_RUNNING" CONFLICT "Maintenance under way",
        "The pool is being looked after, by the scheduler or for somebody else; one run goes on at a time. Repeat the request when it has ended.";
    IdempotencyInFlight "IDEMPOTENCY_IN_FLIGHT" CONFLICT "Same request in flight",
        "A request with this Idempotency-Key is still being worked on. Repeat it a little later to get its answer.";
    IdempotencyAnswerLost "IDEMPOTENCY_ANSWER_LOST" CONFLICT "Answer lost",
        "The request with this Idempotency-Key was begun and its answer cannot be given: the process stopped while it worked, or MASTER_SECRET was changed since. Whether the work was done is not known; nothing is done a second time. Look at what is there, and use a new key for a new request.";
    DuplicatePmc "DUPLICATE_PMC" CONFLICT "Key already registered",
        "The user has a login key. It is never overwritten; changing it needs a signature by the old key.";
    SvdReplayed "SVD_REPLAYED" CONFLICT "Login challenge already used",
        "The login challenge was answered before. Begin again.";
    LastAdmin "LAST_ADMIN" CONFLICT "Last admin",
        "The account is the last admin who can log in: without it nobody could make accounts. Make another admin first.";
    LinkGone "LINK_GONE" GONE "Link used or too old",
        "The one-time link was used, is older than 30 minutes, was replaced by a newer one, or never was. Make another with `patchproof admin setup-link` or `patchproof admin reset NAME`, or have an admin make one.";
    PreconditionFailed "PRECONDITION_FAILED" PRECONDITION_FAILED "Changed meanwhile",
        "What the request was made for has changed since it was read: its ETag is no longer the one in If-Match. Read it again and decide anew.";
    PayloadTooLarge "PAYLOAD_TOO_LARGE" PAYLOAD_TOO_LARGE "Body too large",
        "The body is larger than the route takes: 32 KiB under /api/svd/, 32 MiB for a file of products to register (/v1/admin/imports), 1 MiB elsewhere.";
    UriTooLong "URI_TOO_LONG" URI_TOO_LONG "Address too long",
        "The request's path and query are longer than 8 KiB.";
    UnsupportedMediaType "UNSUPPORTED_MEDIA_TYPE" UNSUPPORTED_MEDIA_TYPE "Media type not supported",
        "The route takes application/json in UTF-8 without content coding (/v1/admin/imports takes text/csv or application/x-ndjson); the request says something else or nothing.";
    IdempotencyMismatch "IDEMPOTENCY_MISMATCH" UNPROCESSABLE_ENTITY "Idempotency key reused",
        "This Idempotency-Key was used before with another body. Use a new key for a new request.";
    RateLimited "RATE_LIMITED" TOO_MANY_REQUESTS "Too many requests",
        "The limit for this client is used up. Retry-After says when there is room again, RateLimit what the limit is.";
    HeadersTooLarge "HEADERS_TOO_LARGE" REQUEST_HEADER_FIELDS_TOO_LARGE "Headers too large",
        "The request's head is larger than 32 KiB or has more than 100 lines.";
    Internal "INTERNAL" INTERNAL_SERVER_ERROR "Internal error",
        "Something failed that should not. It was logged under the request id; quote it when you report the failure.";
    StorageUnavailable "STORAGE_UNAVAILABLE" SERVICE_UNAVAILABLE "Storage unavailable",
        "The store does not take writes at present. Nothing was stored. Repeat the request later with the same Idempotency-Key.";
    StorageFull "STORAGE_FULL" SERVICE_UNAVAILABLE "Storage full",
        "The disk is full, so nothing new is accepted; what was accepted is safe and can be read. The operator has to make room.";
    SignerUnavailable "SIGNER_UNAVAILABLE" SERVICE_UNAVAILABLE "Signer unavailable",
        "The process that holds the keys does not answer. Nothing is lost. Repeat the request later with the same Idempotency-Key.";
    NetworkUnavailable "NETWORK_UNAVAILABLE" SERVICE_UNAVAILABLE "Network unavailable",
        "The BSV network cannot be reached. Nothing is lost. Repeat the request later with the same Idempotency-Key.";
    ShuttingDown "SHUTTING_DOWN" SERVICE_UNAVAILABLE "Shutting down",
        "The process is stopping and takes no new work. Repeat the request in a moment.";
    Overloaded "OVERLOADED" SERVICE_UNAVAILABLE "Overloaded",
        "There are too many connections or the work did not finish in time. Repeat the request later with the same Idempotency-Key.";
}

impl ProblemCode {
    /// Returns the kind with this stable name in either case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(name))
    }

    /// Returns the kind that stands for a status which something below the handlers chose.
    pub fn for_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthenticated,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 => Self::RequestTimeout,
            410 => Self::LinkGone,
            412 => Self::PreconditionFailed,
            413 => Self::PayloadTooLarge,
            414 => Self::UriTooLong,
            415 => Self::UnsupportedMediaType,
            429 => Self::RateLimited,
            431 => Self::HeadersTooLarge,
            503 => Self::Overloaded,
            other if other < 500 => Self::BadRequest,
            _ => Self::Internal,
        }
    }

    /// Returns where the kind is explained, the `type` of the document.
    pub fn documentation_path(self) -> String {
        let mut path = String::with_capacity(40);
        path.push_str("/docs/errors/");
        path.extend(self.as_str().chars().map(|letter| letter.to_ascii_lowercase()));
        path
    }

    /// Returns the challenge that a 401 must carry (RFC 9110, section 11.6.1).
    pub(super) fn challenge(self) -> Option<&'static str> {
        if self.status() != StatusCode::UNAUTHORIZED {
            None
        } else if self == Self::Unauthenticated {
            Some("ApiKey realm=\"patchproof\", Bearer realm=\"patchproof\"")
        } else if self == Self::InvalidApiKey {
            Some("ApiKey realm=\"patchproof\"")
        } else if self == Self::TokenInvalid {
            Some("Bearer realm=\"patchproof\", error=\"invalid_token\"")
        } else if self == Self::EmailCodeInvalid {
            Some("EmailCode realm=\"patchproof\"")
        } else if matches!(self, Self::LoginFailed | Self::SessionInvalid) {
            Some("Session realm=\"patchproof\"")
        } else {
            Some("SVD realm=\"patchproof\"")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_upper_snake_case_and_unique() {
        let mut seen = std::collections::HashSet::new();
        for code in ProblemCode::ALL {
            let name = code.as_str();
            assert!(seen.insert(name), "{name} occurs twice");
            assert!(name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{name}");
            assert_eq!(ProblemCode::from_name(&name.to_lowercase()), Some(*code));
        }
    }

    #[test]
    fn codes_stand_in_the_order_of_their_status() {
        assert!(ProblemCode::ALL.is_sorted_by_key(|code| code.status()));
    }

    #[test]
    fn every_401_carries_a_challenge_and_nothing_else_does() {
        for code in ProblemCode::ALL {
            let unauthorized = code.status() == StatusCode::UNAUTHORIZED;
            assert_eq!(code.challenge().is_some(), unauthorized, "{}", code.as_str());
        }
    }

    #[test]
    fn a_bare_status_becomes_a_code_of_that_status() {
        for code in ProblemCode::ALL {
            let chosen = ProblemCode::for_status(code.status()).status();
            let same_class = chosen.as_u16() / 100 == code.status().as_u16() / 100;
            assert!(chosen == code.status() || same_class, "{}", code.as_str());
        }
    }
}
