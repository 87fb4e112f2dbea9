//! A certificate that the simulator makes for itself at each start, so that clients that want TLS can be pointed at it.
//! The keys stay in this process; what leaves it is the certificate of the authority, to be trusted by those clients.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan as _, Zoned, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// The names of this machine, which are all that the simulator listens on.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A certificate for this machine, and the authority that vouches for it.
#[derive(Clone)]
pub struct Certificate {
    authority: String,
    acceptor: TlsAcceptor,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[error("no certificate could be made: {0}")]
pub struct CertificateError(String);

impl Certificate {
    /// Makes an authority and a certificate for `localhost`, `127.0.0.1` and `::1`, valid from a day before `now`, for
    /// a year.
    pub fn new(now: Timestamp) -> Result<Self, CertificateError> {
        let failed = |error: rcgen::Error| CertificateError(error.to_string());
        let now = now.to_zoned(TimeZone::UTC);
        // Not simply for ever: some clients refuse more than 825 days.
        let (from, until) = (&now - 1.day(), &now + 1.year());
        let params = |names: &[&str], common_name: &str| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            let mut params = CertificateParams::new(names)?;
            params.distinguished_name.push(DnType::CommonName, common_name);
            (params.not_before, params.not_after) = (day(&from), day(&until));
            // Python from 3.13 on refuses a certificate without.
            params.use_authority_key_identifier_extension = true;
            Ok(params)
        };

        let mut of_authority: CertificateParams = params(&[], "Rolecall sandbox authority").map_err(failed)?;
        of_authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        of_authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = KeyPair::generate().map_err(failed)?;
        let authority = of_authority.self_signed(&authority_key).map_err(failed)?;

        let mut of_server: CertificateParams = params(&NAMES, "Rolecall sandbox").map_err(failed)?;
        of_server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        of_server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let server_key = KeyPair::generate().map_err(failed)?;
        let issuer = Issuer::new(of_authority, authority_key);
        let server = of_server.signed_by(&server_key, &issuer).map_err(failed)?;

        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
        // The provider by name: another one in the same binary would make the default ambiguous.
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![server.der().clone()], key))
            .map_err(|error| CertificateError(error.to_string()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { authority: authority.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// The certificate of the authority, in PEM.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }
}

fn day(moment: &Zoned) -> azure_core::time::OffsetDateTime {
    let part = |part: i8| u8::try_from(part).expect("months and days are positive");
    rcgen::date_time_ymd(moment.year().into(), part(moment.month()), part(moment.day()))
}
