# Sourced by the scripts that run Python.
# venv_python NAME PYTHON REQUIREMENTS [PIP FLAGS…]: prints the python of ${HONE_CACHE:-~/.cache/hone}/NAME, a venv that
# is made by PYTHON where it is not there, or not of these requirements. Fails where it cannot be made.
venv_python() {
  local venv=${HONE_CACHE:-$HOME/.cache/hone}/$1 python=$2 requirements=$3
  shift 3
  # Chained: `set -e` does not reach into $(venv_python …). The copy, last, marks the venv as whole.
  cmp -s "$requirements" "$venv/requirements.txt" ||
    { "$python" -m venv "$venv" >&2 && "$venv/bin/pip" install --quiet "$@" -r "$requirements" >&2 &&
      cp "$requirements" "$venv/requirements.txt"; } || return
  echo "$venv/bin/python"
}
