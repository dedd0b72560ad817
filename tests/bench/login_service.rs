//! What completes a login behind its route, by itself: the same checks, the same durable row and the same
//! token, without HTTP and without those who send the requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use patchproof::auth::pseudonym::PseudonymKey;
use patchproof::auth::svd::{Challenge, ChallengeKey, UserId};
use patchproof::auth::token::TokenKeys;
use patchproof::service::login::{KnownKeys, LoginService, ProofSource, hot_challenges};
use patchproof::service::persons::Persons;
use patchproof::signer::{KmsConfig, KmsSigner};
use patchproof::storage::{Store, StoreError, StoreOptions, SvdKey};
use patchproof::telemetry::Metrics;
use patchproof::types::{Clock, SystemClock};

use crate::login::{USERS, secret, user};

/// Logins at a time.
pub(crate) const AT_A_TIME: usize = 512;
const TTL: Duration = Duration::from_secs(300);
const MASTER: &[u8] = b"bench-master-secret-0123456789abcdef01234";

/// Completes `count` logins that were begun and signed before, [`AT_A_TIME`] of them at a time, and
/// returns logins per second.
pub(crate) fn complete(count: usize) -> f64 {
    let directory = tempfile::TempDir::new_in(".").unwrap();
    let store = Store::open(StoreOptions::in_directory(directory.path())).unwrap();
    let service = service(store);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        register(&service.store).await;
        let logins: Vec<_> = (0..count).map(|number| begin(&service, number)).collect();
        let begun = Instant::now();
        let clients = logins.chunks(count.div_ceil(AT_A_TIME)).map(|logins| {
            let (service, logins) = (service.clone(), logins.to_vec());
            tokio::spawn(async move {
                for (user, challenge, signature) in logins {
                    let now = SystemClock.now();
                    let token = service.complete(user, challenge, &signature, now).await;
                    assert!(!token.unwrap().is_empty());
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
        count as f64 / begun.elapsed().as_secs_f64()
    })
}

fn service(store: Store) -> LoginService {
    let nowhere = KmsConfig::new("http://127.0.0.1:1/sign".parse().unwrap());
    LoginService {
        store,
        challenges: ChallengeKey::derive(MASTER),
        tokens: Arc::new(TokenKeys::new(MASTER, None).unwrap()),
        ttl: TTL,
        proofs: ProofSource {
            deriver: None,
            signer: Arc::new(KmsSigner::new(nowhere).unwrap()),
            patience: Duration::ZERO,
            fixed_kid: Some("bench".to_owned()),
            state: Arc::default(),
        },
        metrics: Arc::new(Metrics::new()),
        deploy_sha: None,
        hot: hot_challenges(TTL),
        keys: KnownKeys::default(),
        persons: Persons { key: PseudonymKey::derive(MASTER) },
    }
}

async fn register(store: &Store) {
    let now = SystemClock.now();
    let put = store.write(move |tx| {
        for number in 0..USERS {
            let user: UserId = user(number).parse().unwrap();
            let public_key = secret(number).public_key();
            tx.put_svd_key(&SvdKey {
                user,
                public_key,
                revoked_at: None,
                registered_at: now,
                changed_at: now,
            })?;
        }
        Ok::<_, StoreError>(())
    });
    put.await.unwrap();
}

fn begin(service: &LoginService, number: usize) -> (UserId, Challenge, Vec<u8>) {
    let number = number as u64 % USERS;
    let user: UserId = user(number).parse().unwrap();
    let challenge = service.begin(user, SystemClock.now()).unwrap().challenge;
    let digest = challenge.digest();
    let signature = secret(number).plus(&digest).unwrap().sign(&digest);
    (user, challenge, signature.to_der())
}
