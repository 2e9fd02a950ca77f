//! TLS of the server: its certificate, its protocols, and what it makes of client certificates.
//!
//! Invariant: a client certificate of another authority does not break the handshake; the requests
//! on that connection are refused with 401, as a Go server does it.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
};
use world::World;

use super::auth::{Peer, authenticated};
use super::certs::{self, Identity};
use crate::User;

/// What can go wrong with setting up TLS.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A certificate or key is not PEM.
    #[error("cannot read a certificate or key")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// A certificate and key do not fit each other.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// The authority is unusable.
    #[error("cannot verify clients")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// The configuration of the listening side, and the judge of client certificates.
#[derive(Debug)]
pub(crate) struct Tls {
    pub(crate) config: Arc<ServerConfig>,
    verifier: Arc<dyn ClientCertVerifier>,
    host: World,
}

impl Tls {
    /// Sets up TLS with `serving`, trusting client certificates that `authority` (PEM) signed.
    pub(crate) fn new(serving: &Identity, authority: &str) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
        let verifier = verifier(roots, &provider)?;
        let chain = vec![CertificateDer::from_pem_slice(serving.certificate.as_bytes())?];
        let key = PrivateKeyDer::from_pem_slice(serving.key.as_bytes())?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(Arc::new(Lenient(Arc::clone(&verifier))))
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), verifier, host: World::real() })
    }

    /// What the certificates of a connection say of its client.
    pub(crate) fn peer(&self, certificates: Option<&[CertificateDer<'_>]>) -> Peer {
        let Some([leaf, intermediates @ ..]) = certificates else { return Peer::Unknown };
        let seconds = u64::try_from(self.host.now().unix_seconds()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        if self.verifier.verify_client_cert(leaf, intermediates, now).is_err() {
            return Peer::Refused;
        }
        match certs::subject(leaf) {
            Some((name, groups)) => {
                Peer::Certified(authenticated(User { name, groups, ..User::default() }))
            }
            None => Peer::Refused,
        }
    }
}

fn verifier(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    Ok(builder.allow_unauthenticated().build()?)
}

/// Accepts every client certificate in the handshake; [`Tls::peer`] judges it afterwards.
#[derive(Debug)]
struct Lenient(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Lenient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
