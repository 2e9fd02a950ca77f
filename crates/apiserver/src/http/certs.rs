//! The certificates of a cluster: its own authority, what the server shows and what clients show.
//!
//! All keys are ECDSA P-256, so that making all three takes about a millisecond.
//!
//! Invariant: certificates are valid from 2018 to 2118 whatever the clock says, so that a cluster on
//! a virtual clock and its clients on the real one agree.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// Names under which pods and local clients reach the server.
const SERVING_NAMES: &[&str] = &[
    "localhost",
    "127.0.0.1",
    "::1",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "openshift",
    "openshift.default",
    "openshift.default.svc",
    "openshift.default.svc.cluster.local",
];

/// The common name of an authority made here.
const SIGNER: &str = "openshift-signer";

/// The object identifier of an organization (group) in a subject.
const ORGANIZATION: &[u64] = &[2, 5, 4, 10];

/// What can go wrong with certificates.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key or certificate could not be made or read.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// A client certificate carries two groups at most.
    #[error("a client certificate carries at most two groups, not {0}")]
    TooManyGroups(usize),
}

/// A certificate and its private key, both PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The private key (PKCS #8).
    pub key: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// A certificate authority that signs for one cluster.
pub struct Authority {
    identity: Identity,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a new authority.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn generate() -> Result<Self, Error> {
        let key = KeyPair::generate()?;
        let certificate = authority_params().self_signed(&key)?.pem();
        Ok(Self::assemble(Identity { certificate, key: key.serialize_pem() }, key))
    }

    /// Takes up an authority that [`Authority::generate`] made earlier.
    ///
    /// # Errors
    /// When the key is not a PKCS #8 key in PEM.
    pub fn load(identity: Identity) -> Result<Self, Error> {
        let key = KeyPair::from_pem(&identity.key)?;
        Ok(Self::assemble(identity, key))
    }

    fn assemble(identity: Identity, key: KeyPair) -> Self {
        Self { identity, issuer: Issuer::new(authority_params(), key) }
    }

    /// The authority's own certificate and key, to be kept for [`Authority::load`].
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The certificate that clients trust, PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.identity.certificate
    }

    /// Signs a serving certificate for the usual names and `extra` ones (DNS names or addresses).
    ///
    /// # Errors
    /// When a name is not a DNS name or no key can be made.
    pub fn serving(&self, extra: &[String]) -> Result<Identity, Error> {
        let mut names: Vec<String> = SERVING_NAMES.iter().map(|&name| name.to_owned()).collect();
        for name in extra {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let mut params = leaf_params(names)?;
        params.distinguished_name.push(DnType::CommonName, "127.0.0.1");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params)
    }

    /// Signs a client certificate: `user` becomes the common name, each group an organization.
    ///
    /// # Errors
    /// When no key can be made, or there are more than two groups.
    pub fn client(&self, user: &str, groups: &[&str]) -> Result<Identity, Error> {
        let mut params = leaf_params(Vec::new())?;
        // A distinguished name here holds one value per type; the second organization goes in
        // under the same OID spelled out.
        let organizations = [DnType::OrganizationName, DnType::CustomDnType(ORGANIZATION.to_vec())];
        if groups.len() > organizations.len() {
            return Err(Error::TooManyGroups(groups.len()));
        }
        for (organization, group) in organizations.into_iter().zip(groups) {
            params.distinguished_name.push(organization, *group);
        }
        params.distinguished_name.push(DnType::CommonName, user);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Result<Identity, Error> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }
}

fn authority_params() -> CertificateParams {
    let mut params = validity(CertificateParams::default());
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, SIGNER);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::KeyCertSign,
    ];
    params
}

fn leaf_params(names: Vec<String>) -> Result<CertificateParams, Error> {
    let mut params = validity(CertificateParams::new(names)?);
    params.distinguished_name = DistinguishedName::new();
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    Ok(params)
}

fn validity(mut params: CertificateParams) -> CertificateParams {
    params.not_before = date_time_ymd(2018, 1, 1);
    params.not_after = date_time_ymd(2118, 1, 1);
    params
}

/// The user that a client certificate (DER) names: its common name and its organizations.
pub(crate) fn subject(der: &[u8]) -> Option<(String, Vec<String>)> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
    let groups = subject
        .iter_organization()
        .filter_map(|organization| organization.as_str().ok().map(ToOwned::to_owned))
        .collect();
    Some((name, groups))
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn a_client_certificate_names_user_and_groups() {
        let authority = Authority::generate().unwrap();
        let client =
            authority.client("system:admin", &["system:cluster-admins", "system:masters"]).unwrap();
        let der = CertificateDer::from_pem_slice(client.certificate.as_bytes()).unwrap();
        let (name, groups) = subject(&der).unwrap();
        assert_eq!(name, "system:admin");
        assert_eq!(groups, ["system:cluster-admins", "system:masters"]);
    }

    #[test]
    fn a_loaded_authority_signs_as_the_original_did() {
        let first = Authority::generate().unwrap();
        let again = Authority::load(first.identity().clone()).unwrap();
        assert_eq!(first.certificate(), again.certificate());
        let serving = again.serving(&["api.example.test".to_owned()]).unwrap();
        let der = CertificateDer::from_pem_slice(serving.certificate.as_bytes()).unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
        let authority = CertificateDer::from_pem_slice(first.certificate().as_bytes()).unwrap();
        let (_, issuer) = x509_parser::parse_x509_certificate(&authority).unwrap();
        assert_eq!(parsed.issuer(), issuer.subject());
        let names = format!("{:?}", parsed.subject_alternative_name().unwrap().unwrap().value);
        assert!(names.contains("api.example.test") && names.contains("kubernetes.default.svc"));
    }
}
