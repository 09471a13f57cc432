# Every pinned version, in one place. Sourced by tools/setup.sh; CMake reads
# HONE_TORCH_VERSION and HONE_ARROW_VERSION from it.
# Debian packages follow the release (Debian 12, "bookworm").
HONE_TORCH_VERSION=2.11.0
# Wheels as "name==version sha256". The CUDA runtime and CUPTI are what libtorch_cpu.so links by name.
HONE_WHEELS="
torch==2.11.0 7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a
nvidia-cuda-runtime==13.0.96 7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548
nvidia-cuda-cupti==13.0.85 4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8
"
# Of `make parquet` alone: Arrow, which reads Parquet.
HONE_ARROW_VERSION=26.0.1
HONE_ARROW_WHEELS="
pyarrow==26.0.1 39cb0f2418282c24bea6ceda77b03e5a8f0a5766b63a8bf194d4e2a2c423548c
"
