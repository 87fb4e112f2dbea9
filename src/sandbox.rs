//! Azure and Kubernetes for where there are none: what `demo`, `sandbox` and the tests run the real program against.
//! Behind the cargo feature `sandbox`; the container image is built without it.

pub mod arm;
pub mod kube;
pub mod scenario;
