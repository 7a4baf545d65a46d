# What the library runs on a Windows agent. Everything it needs is in the environment, the command in
# REFLECT_JENKINS_COMMAND; nothing of it is pasted into this text.
# Cmdlets stop at an error, each by -ErrorAction: set for all, it would take what a program writes to stderr for one.
$command = $env:REFLECT_JENKINS_COMMAND
# The runner writes UTF-8, whatever the agent's code page is.
$env:PYTHONUTF8 = '1'

function Stop-Usage([string] $sentence) {
    [Console]::Error.WriteLine("reflect: $sentence")
    exit 2
}

if ($env:REFLECT_REPORT_DIR) {
    # Left by an earlier build in this workspace; the library must not take it for this build's.
    $stale = @('result.json')
    if ($command -eq 'run') { $stale += 'executions.json' }
    foreach ($name in $stale) {
        $path = Join-Path $env:REFLECT_REPORT_DIR $name
        if (Test-Path -LiteralPath $path) { Remove-Item -LiteralPath $path -Force -ErrorAction Stop }
    }
}

$runner = $env:REFLECT_RUNNER
if (-not $runner) { $runner = 'reflect-ci==0.1.0' }

if ($runner -eq 'installed') {
    if (-not (Get-Command reflect-ci -ErrorAction SilentlyContinue)) {
        Stop-Usage 'runner is `installed`, but there is no reflect-ci on the PATH of this agent. Install it (pip install reflect-ci), or leave out `runner`.'
    }
    & reflect-ci $command
    exit $LASTEXITCODE
}

$python = $null
foreach ($candidate in @(@('py', '-3'), @('python'), @('python3'))) {
    if (-not (Get-Command $candidate[0] -ErrorAction SilentlyContinue)) { continue }
    $rest = @($candidate | Select-Object -Skip 1)
    # The Store's stand-in for python is found, too, but runs nothing.
    & $candidate[0] @rest -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>$null
    if ($LASTEXITCODE -eq 0) { $python = $candidate; break }
}
if (-not $python) {
    Stop-Usage 'there is no Python 3.9 or later on this agent. Install one, or use an agent that has it.'
}
$rest = @($python | Select-Object -Skip 1)
$folder = Join-Path ([IO.Path]::GetTempPath()) ('reflect-ci-' + [Guid]::NewGuid())

$file, $sum = $runner -split '#sha256=', 2

if ($file -match '\.pyz$') {
    if ($file -match '^https?://') {
        if (-not $sum) { Stop-Usage 'a runner from a URL needs its checksum: write URL#sha256=<64 hexadecimal digits>.' }
        New-Item -ItemType Directory -Path $folder -ErrorAction Stop | Out-Null
        $url = $file
        $file = Join-Path $folder 'reflect-ci.pyz'
        Invoke-WebRequest -UseBasicParsing -Uri $url -OutFile $file -TimeoutSec 120 -ErrorAction Stop
    }
    if (-not (Test-Path -LiteralPath $file)) { Stop-Usage "runner: there is no file $file on this agent." }
    if ($sum -and (Get-FileHash -LiteralPath $file -Algorithm SHA256 -ErrorAction Stop).Hash -ne $sum) {
        Stop-Usage "the runner's file is not the one that its sha256 names. It was not run."
    }
}
else {
    # What a package runs while it is installed gets to see no key.
    $key = $env:REFLECT_API_KEY
    $env:REFLECT_API_KEY = $null
    & $python[0] @rest -m venv $folder
    if ($LASTEXITCODE -ne 0) { Stop-Usage 'no virtual environment could be made (python -m venv).' }
    $python = @((Join-Path $folder 'Scripts\python.exe'))
    & $python[0] -m pip install --quiet --disable-pip-version-check $runner
    if ($LASTEXITCODE -ne 0) { Stop-Usage "pip could not install $runner. Set runner to one that this agent can reach." }
    $env:REFLECT_API_KEY = $key
    & $python[0] -m reflect_ci $command
    exit $LASTEXITCODE
}

& $python[0] @rest -I $file $command
exit $LASTEXITCODE
