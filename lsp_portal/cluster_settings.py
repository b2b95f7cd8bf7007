"""The settings of the Kubernetes cluster, for hubs whose servers the portal starts itself."""

from lsp_portal.lib import env

# The cluster, and where in it

KUBECONFIG = env.text("KUBECONFIG", "")
KUBERNETES_NAMESPACES = env.choice("KUBERNETES_NAMESPACES", "one", ["one", "per_user"])
KUBERNETES_NAMESPACE = env.text("KUBERNETES_NAMESPACE", "lsp")
KUBERNETES_OBSERVED_NAMESPACES = env.items("KUBERNETES_OBSERVED_NAMESPACES")

# The hub there, and what servers reach

KUBERNETES_HUB_NAMESPACE = env.text("KUBERNETES_HUB_NAMESPACE", "jupyterhub")
KUBERNETES_HUB_LABELS = env.pairs(
    "KUBERNETES_HUB_LABELS", ["hub.jupyter.org/network-access-singleuser=true"]
)
KUBERNETES_HUB_PORT = env.integer("KUBERNETES_HUB_PORT", 8081, minimum=1)
KUBERNETES_EGRESS = env.items("KUBERNETES_EGRESS")

# Servers

KUBERNETES_USER_QUOTA = env.pairs("KUBERNETES_USER_QUOTA")
KUBERNETES_GPU_RESOURCE = env.text("KUBERNETES_GPU_RESOURCE", "nvidia.com/gpu")
KUBERNETES_PULL_SECRETS = env.items("KUBERNETES_PULL_SECRETS")
KUBERNETES_TMP_MIB = env.integer("KUBERNETES_TMP_MIB", 1024, minimum=1)
KUBERNETES_START_SECONDS = env.integer("KUBERNETES_START_SECONDS", 600, minimum=1)
KUBERNETES_STOP_SECONDS = env.integer("KUBERNETES_STOP_SECONDS", 60, minimum=1)
KUBERNETES_SWEEP_SECONDS = env.integer("KUBERNETES_SWEEP_SECONDS", 60, minimum=1)

# Homes

KUBERNETES_HOMES = env.choice("KUBERNETES_HOMES", "claim", ["claim", "directory"])
KUBERNETES_HOME_ACCESS = env.choice(
    "KUBERNETES_HOME_ACCESS", "ReadWriteMany", ["ReadWriteMany", "ReadWriteOnce"]
)
KUBERNETES_STORAGE_CLASS = env.text("KUBERNETES_STORAGE_CLASS", "")
KUBERNETES_SHARED_CLAIM = env.text("KUBERNETES_SHARED_CLAIM", "")
NOTEBOOKS_REPOSITORY = env.text("NOTEBOOKS_REPOSITORY", "")
NOTEBOOKS_REF = env.text("NOTEBOOKS_REF", "HEAD")
NOTEBOOKS_DIRECTORY = env.text("NOTEBOOKS_DIRECTORY", "notebooks")
NOTEBOOKS_IMAGE = env.text("NOTEBOOKS_IMAGE", "")
RESCUE_MINUTES = env.integer("RESCUE_MINUTES", 60, minimum=1)

# What is free, images fetched beforehand, and room kept

KUBERNETES_CAPACITY = env.boolean("KUBERNETES_CAPACITY", False)
KUBERNETES_PREPULL_NAMESPACE = env.text("KUBERNETES_PREPULL_NAMESPACE", "")
KUBERNETES_PREPULL_PRIORITY = env.text("KUBERNETES_PREPULL_PRIORITY", "")
KUBERNETES_PLACEHOLDER_NAMESPACE = env.text("KUBERNETES_PLACEHOLDER_NAMESPACE", "")
KUBERNETES_PLACEHOLDER_PRIORITY = env.text("KUBERNETES_PLACEHOLDER_PRIORITY", "lsp-placeholder")
KUBERNETES_PLACEHOLDER_IMAGE = env.text(
    "KUBERNETES_PLACEHOLDER_IMAGE", "registry.k8s.io/pause:3.10"
)

# Dask clusters

KUBERNETES_DASK = env.boolean("KUBERNETES_DASK", False)
KUBERNETES_DASK_NAMESPACE = env.text("KUBERNETES_DASK_NAMESPACE", "dask-operator")
KUBERNETES_DASK_LABELS = env.pairs(
    "KUBERNETES_DASK_LABELS", ["app.kubernetes.io/name=dask-kubernetes-operator"]
)
DASK_WORKERS = env.integer("DASK_WORKERS", 2, minimum=0)
DASK_WORKER_CPU_MILLICORES = env.integer("DASK_WORKER_CPU_MILLICORES", 1000, minimum=1)
DASK_WORKER_MEMORY_MIB = env.integer("DASK_WORKER_MEMORY_MIB", 8192, minimum=256)
DASK_IDLE_SECONDS = env.integer("DASK_IDLE_SECONDS", 3600, minimum=0)
DASK_MAX_WORKERS = env.integer("DASK_MAX_WORKERS", 20, minimum=1)
DASK_MAX_WORKERS_PER_USER = env.integer("DASK_MAX_WORKERS_PER_USER", 40, minimum=1)
