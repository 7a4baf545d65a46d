"""The style sheet of report.html."""

STYLE = """
:root{color-scheme:light dark;--page:#f5f6f8;--card:#fff;--text:#1c2024;--soft:#5b6570;--line:#dfe3e8;--link:#0b5cad;
--good:#17753a;--good-bg:#e2f4e8;--bad:#b3211c;--bad-bg:#fde8e7;--warn:#8a5300;--warn-bg:#fdf0d5;--quiet:#4a5561;--quiet-bg:#e9edf1}
@media (prefers-color-scheme:dark){:root{--page:#14171a;--card:#1d2125;--text:#e6e9ec;--soft:#9aa5b0;--line:#343a41;--link:#7db7f5;
--good:#6fd394;--good-bg:#16351f;--bad:#ff9a94;--bad-bg:#43191a;--warn:#f2bd66;--warn-bg:#3d2c0d;--quiet:#b3bec9;--quiet-bg:#2b3138}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;border-top:6px solid var(--warn)}
body.good{border-color:var(--good)}body.bad{border-color:var(--bad)}body.quiet{border-color:var(--quiet)}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 3rem}
a{color:var(--link)}code{font:.9em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
h1{display:flex;flex-wrap:wrap;align-items:center;gap:.75rem;margin:0;font-size:1.6rem;line-height:1.2}
.message{margin:.75rem 0 1.25rem;font-size:1.1rem;overflow-wrap:anywhere}
dl{display:flex;flex-wrap:wrap;gap:1rem 2.5rem;margin:0 0 1.5rem;padding:1rem 1.25rem;background:var(--card);border:1px solid var(--line);border-radius:.6rem}
dt{color:var(--soft);font-size:.85rem}dd{margin:0;font-weight:600;overflow-wrap:anywhere}
.badge{display:inline-block;padding:.1em .65em;border-radius:1em;font-size:.8rem;font-weight:700;line-height:1.6;white-space:nowrap;color:var(--warn);background:var(--warn-bg)}
.badge.good{color:var(--good);background:var(--good-bg)}.badge.bad{color:var(--bad);background:var(--bad-bg)}.badge.quiet{color:var(--quiet);background:var(--quiet-bg)}
h1 .badge{font-size:1.05rem}
.execution{margin:.75rem 0;background:var(--card);border:1px solid var(--line);border-left:4px solid var(--warn);border-radius:.6rem}
.execution.good{border-left-color:var(--good)}.execution.bad{border-left-color:var(--bad)}.execution.quiet{border-left-color:var(--quiet)}
summary{display:flex;flex-wrap:wrap;align-items:baseline;gap:.35rem .75rem;padding:.75rem 1rem;cursor:pointer;list-style:none}
summary::-webkit-details-marker{display:none}
summary::before{content:"";flex:none;width:.5em;height:.5em;border:solid var(--soft);border-width:0 2px 2px 0;transform:rotate(-45deg)}
details[open]>summary::before{transform:rotate(45deg)}
summary:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:.6rem}
.name{flex:1 1 8rem;font-weight:600;overflow-wrap:anywhere;min-width:0}
.facts{margin-left:auto;color:var(--soft);font-size:.9rem}
.facts a{margin-left:.5rem}
.inside{padding:0 1rem 1rem}.inside>p{margin:.25rem 0 .75rem}
.reason,.page{overflow-wrap:anywhere}.page{color:var(--soft);font-size:.9rem}
.tests{list-style:none;margin:0;padding:0}
.tests>li{display:flex;flex-wrap:wrap;align-items:baseline;gap:.35rem .75rem;padding:.6rem 0;border-top:1px solid var(--line)}
.tests>li>.steps,.tests>li>.page{flex-basis:100%;margin:0}
.steps{list-style:none;padding:.6rem .85rem;border-radius:.4rem;background:var(--bad-bg);white-space:pre-wrap;overflow-wrap:anywhere}
.steps li+li{margin-top:.35rem}.step{font-weight:700;color:var(--bad)}
@media (max-width:36rem){main{padding:1rem .75rem 2rem}.facts{margin-left:0;flex-basis:100%}dl{display:grid;grid-template-columns:1fr 1fr;gap:1rem}}
@media print{body{background:#fff}.execution,dl{break-inside:avoid}}
"""
