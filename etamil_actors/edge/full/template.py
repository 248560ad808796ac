"""The page of the OpenAPI document: HTML, its style and its little script, all in one answer.

Nothing is fetched from anywhere. The style and the script never change, so the Content-Security-Policy names
them by their hashes and allows nothing else; what comes from the document is text and stays text. Without
scripts everything can be read; the script only filters the list and copies lines.
"""

# ruff: noqa: E501  lines of HTML and CSS read better whole

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1d2125;--dim:#5b6470;--line:#d9dee5;--paper:#fff;--soft:#f4f6f9;--mark:#8a1c3c}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--dim:#9aa5b3;--line:#333b46;--paper:#14181d;--soft:#1d232b;
--mark:#ff9db5}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1rem;color:var(--ink);background:var(--paper);
font:16px/1.55 system-ui,"Noto Sans Tamil","Nirmala UI","Latha",sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem;margin:.5rem 0 0}h2{font-size:1.2rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:1rem 0 .3rem}
p{margin:.4rem 0}a{color:var(--mark)}
.dim{color:var(--dim)}
details{border:1px solid var(--line);border-radius:.5rem;margin:.5rem 0;background:var(--paper)}
summary{cursor:pointer;padding:.6rem .8rem;min-height:2.75rem}
summary:focus-visible,input:focus-visible,button:focus-visible{outline:3px solid var(--mark);outline-offset:2px}
details>div{padding:0 .8rem .8rem;border-top:1px solid var(--line)}
code,pre{font:.9rem/1.5 ui-monospace,"Noto Sans Mono",monospace}
pre{background:var(--soft);border-radius:.4rem;padding:.7rem;overflow-x:auto;white-space:pre-wrap;margin:.3rem 0}
.method{display:inline-block;min-width:4.2rem;font-weight:700;color:var(--mark)}
.table{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line)}
input{width:100%;font:inherit;padding:.6rem;border:1px solid var(--line);border-radius:.5rem;background:var(--soft);
color:inherit;margin-top:1rem}
button{font:inherit;font-size:.85rem;padding:.3rem .8rem;border:1px solid var(--line);border-radius:.4rem;
background:var(--soft);color:inherit;cursor:pointer;min-height:2.25rem}
[hidden]{display:none}
"""

SCRIPT: Final = """
(function(){
var find=document.getElementById('find');find.hidden=false;
find.addEventListener('input',function(){
var words=find.value.normalize('NFC').toLowerCase().split(/\\s+/);
document.querySelectorAll('details[data-text]').forEach(function(one){
var text=one.dataset.text.toLowerCase();
one.hidden=!words.every(function(word){return text.indexOf(word)>=0;});});
document.querySelectorAll('section[data-group]').forEach(function(group){
group.hidden=!group.querySelector('details:not([hidden])');});
});
document.querySelectorAll('button[data-copies]').forEach(function(button){
if(!navigator.clipboard)return;
button.hidden=false;
button.addEventListener('click',function(){
navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent).then(function(){
button.textContent=button.dataset.done;});});
});
})();
"""

TEMPLATE: Final = """<!doctype html>
<html lang="ta">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ page.title }} · API</title>
<style>{{ style }}</style>
</head>
<body>
{%- macro both(tamil, english) %}{{ tamil }} <span class="dim" lang="en">{{ english }}</span>{% endmacro %}
{%- macro table(rows, has_place) %}
<div class="table"><table>
<thead><tr><th scope="col">{{ both("பெயர்", "name") }}</th>
{%- if has_place %}<th scope="col">{{ both("இடம்", "place") }}</th>{% endif -%}
<th scope="col">{{ both("வகை", "type") }}</th><th scope="col">{{ both("தேவை", "required") }}</th>
<th scope="col">{{ both("விளக்கம்", "description") }}</th></tr></thead>
<tbody>{% for row in rows %}
<tr><td><code>{{ row.name }}</code></td>
{%- if has_place %}<td>{{ places.get(row.place, row.place) }}</td>{% endif -%}
<td>{% if row.shape %}<a href="#shape-{{ row.shape }}">{{ row.kind }}</a>{% else %}{{ row.kind }}{% endif %}</td>
<td>{% if row.is_required %}{{ both("ஆம்", "yes") }}{% else %}{{ both("இல்லை", "no") }}{% endif %}</td>
<td>{{ row.description }}</td></tr>
{%- endfor %}</tbody></table></div>
{%- endmacro %}
<header>
<h1>{{ page.title }} <small class="dim">{{ page.version }}</small></h1>
{% if page.description %}<p>{{ page.description }}</p>{% endif %}
<p>{{ both("இந்தச் சேவையிடம் என்னென்ன கேட்கலாம் என்பதை இந்தப் பக்கம் சொல்கிறது.",
"This page tells what can be asked of this service.") }}
<a href="{{ openapi }}">OpenAPI (JSON)</a></p>
<input id="find" type="search" hidden autocomplete="off" aria-label="தேடு / search" placeholder="தேடு / search">
</header>
<main>
{% for tag, operations in page.groups %}
<section data-group>
<h2>{{ tag or "API" }}</h2>
{% for one in operations %}
<details id="{{ one.id }}" data-text="{{ one.method }} {{ one.path }} {{ one.summary }} {{ tag }}">
<summary><span class="method">{{ one.method }}</span> <code>{{ one.path }}</code>
{% if one.summary %}— {{ one.summary }}{% endif %}</summary>
<div>
{% if one.description %}<p>{{ one.description }}</p>{% endif %}
{% if one.needs_user %}<p>{{ both("உள்நுழைந்த பயனருக்கு மட்டும்.", "For users who are signed in only.") }}</p>{% endif %}
{% if one.parameters %}<h3>{{ both("அளவுருக்கள்", "Parameters") }}</h3>{{ table(one.parameters, true) }}{% endif %}
{% for body in one.bodies %}
<h3>{{ both("உடலுரை", "Body") }} <code>{{ body.kind }}</code>
{% if body.shape %}<a href="#shape-{{ body.shape }}">{{ body.shape }}</a>{% endif %}</h3>
{% if body.fields %}{{ table(body.fields, false) }}{% endif %}
{% endfor %}
{% if one.answers %}<h3>{{ both("பதில்கள்", "Answers") }}</h3>
<ul>{% for answer in one.answers %}<li><code>{{ answer.status }}</code> {{ answer.description }}
{% if answer.kind %}<span class="dim">{{ answer.kind }}</span>{% endif %}
{% if answer.shape %}<a href="#shape-{{ answer.shape }}">{{ answer.shape }}</a>{% endif %}</li>{% endfor %}</ul>{% endif %}
<h3>{{ both("முயன்று பார்க்க", "To try it") }}
<button type="button" hidden data-copies="{{ one.id }}-line" data-done="நகலெடுக்கப்பட்டது / copied">நகலெடு / copy</button></h3>
<pre id="{{ one.id }}-line">{{ one.curl }}</pre>
</div>
</details>
{% endfor %}
</section>
{% else %}
<p>{{ both("இந்தச் சேவைக்கு இன்னும் வழிகள் இல்லை.", "This service has no routes yet.") }}</p>
{% endfor %}
{% if page.shapes %}
<section><h2>{{ both("தரவு வடிவங்கள்", "Shapes of data") }}</h2>
{% for shape in page.shapes %}
<h3 id="shape-{{ shape.name }}">{{ shape.title }}</h3>
{% if shape.fields %}{{ table(shape.fields, false) }}{% else %}<p class="dim">—</p>{% endif %}
{% endfor %}</section>
{% endif %}
</main>
<script>{{ script }}</script>
</body>
</html>
"""


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()


def policy(style: str, script: str, more: str = "") -> str:
    """Of a page only its own style and script are used, and it is shown in no frame."""
    return (
        f"default-src 'none'; style-src 'sha256-{_hash(style)}'; script-src 'sha256-{_hash(script)}'; "
        f"{more}base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


POLICY: Final = policy(STYLE, SCRIPT)

PLACES: Final = {
    "path": "பாதை / path",
    "query": "வினவல் / query",
    "header": "தலைப்பு / header",
    "cookie": "குக்கீ / cookie",
}
