//! Which kinds are served, and under which paths. It must not know any object.

use std::sync::Arc;

use serde_json::Value;

/// A kind with everything about it that changes how it is stored.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) plural: String,
    pub(super) namespaced: bool,
    /// `/status` exists, and the main resource does not write status.
    pub(super) status: bool,
    /// Defined by a CRD: only these count generations here (Namespace, Event and Lease have none).
    pub(super) custom: bool,
    /// The structural schema, for defaults and pruning.
    pub(super) schema: Option<Value>,
}

impl Resource {
    fn builtin(group: &str, kind: &str, plural: &str, namespaced: bool, status: bool) -> Self {
        Self {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced,
            status,
            custom: false,
            schema: None,
        }
    }

    /// The storage version of a CRD; conversion between versions is not played.
    fn from_crd(crd: &Value) -> Option<Self> {
        let spec = &crd["spec"];
        let versions = spec["versions"].as_array()?;
        let stored = versions.iter().find(|version| version["storage"] == true)?;
        Some(Self {
            group: spec["group"].as_str()?.to_owned(),
            version: stored["name"].as_str()?.to_owned(),
            kind: spec["names"]["kind"].as_str()?.to_owned(),
            plural: spec["names"]["plural"].as_str()?.to_owned(),
            namespaced: spec["scope"] == "Namespaced",
            status: stored["subresources"].get("status").is_some(),
            custom: true,
            schema: stored["schema"].get("openAPIV3Schema").cloned(),
        })
    }

    /// `widgets.example.dev`, or `namespaces` in the core group.
    pub(super) fn id(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether a replace must name the version that it replaces.
    pub(super) fn refuses_blind_replace(&self) -> bool {
        self.custom || self.plural == "leases"
    }
}

/// The kinds served now.
#[derive(Debug)]
pub(super) struct Registry {
    namespaces: Arc<Resource>,
    resources: Vec<Arc<Resource>>,
}

impl Registry {
    pub(super) fn with_builtins() -> Self {
        let namespaces = Arc::new(Resource::builtin("", "Namespace", "namespaces", false, true));
        let others = [
            Resource::builtin("", "Event", "events", true, false),
            Resource::builtin("events.k8s.io", "Event", "events", true, false),
            Resource::builtin("coordination.k8s.io", "Lease", "leases", true, false),
        ];
        let resources = std::iter::once(namespaces.clone()).chain(others.into_iter().map(Arc::new)).collect();
        Self { namespaces, resources }
    }

    pub(super) fn namespaces(&self) -> Arc<Resource> {
        self.namespaces.clone()
    }

    /// Serves the kind of `crd` from now on, replacing an earlier definition. `None` when it is not a CRD.
    pub(super) fn install(&mut self, crd: &Value) -> Option<()> {
        let resource = Resource::from_crd(crd)?;
        self.resources.retain(|known| known.id() != resource.id());
        self.resources.push(Arc::new(resource));
        Some(())
    }

    pub(super) fn by_path(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        let matches =
            |known: &&Arc<Resource>| known.group == group && known.version == version && known.plural == plural;
        self.resources.iter().find(matches).cloned()
    }

    pub(super) fn by_type(&self, api_version: &str, kind: &str) -> Option<Arc<Resource>> {
        let matches = |known: &&Arc<Resource>| known.kind == kind && known.api_version() == api_version;
        self.resources.iter().find(matches).cloned()
    }

    /// Every resource of that kind: `Event` is served by two groups.
    pub(super) fn by_kind(&self, kind: &str) -> Vec<Arc<Resource>> {
        self.resources.iter().filter(|known| known.kind == kind).cloned().collect()
    }
}
