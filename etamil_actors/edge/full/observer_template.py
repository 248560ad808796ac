"""The page of the observer: HTML, its style and its script, all in one answer.

It has no numbers in it: the script asks for them every second and writes them as text. As with the page of
the OpenAPI document nothing is fetched from elsewhere, and the Content-Security-Policy names style and script
by their hashes.
"""

# ruff: noqa: E501  lines of HTML and CSS read better whole

from __future__ import annotations

from typing import Final

from etamil_actors.edge.full.template import STYLE as COMMON
from etamil_actors.edge.full.template import policy

STYLE: Final = (
    COMMON
    + """
body{max-width:80rem}
h2 small{font-weight:400}
.facts{display:flex;flex-wrap:wrap;gap:.5rem;padding:0;margin:1rem 0;list-style:none}
.facts li{background:var(--soft);border-radius:.5rem;padding:.4rem .8rem}
.facts b{display:block;font-size:1.15rem}
td,th{overflow-wrap:normal;padding-right:.8rem}
td.text{overflow-wrap:anywhere;min-width:12rem}
th .dim{display:block;font-weight:400}
td.right,th.right{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.path{white-space:pre;font:.9rem/1.5 ui-monospace,"Noto Sans Mono",monospace}
td button{margin-right:.3rem}
tr.bad td{color:var(--mark)}
#told{min-height:1.6rem;color:var(--mark);font-weight:600}
.line{display:flex;gap:.5rem;flex-wrap:wrap;align-items:center}.line input{flex:1;width:auto;margin:0;min-width:12rem}
select{font:inherit;padding:.3rem;min-height:2.25rem}
"""
)

SCRIPT: Final = r"""
(function(){
'use strict';
var SECONDS=1,before={},last=0,paused=false,busy=false,gone=false;
function by(id){return document.getElementById(id);}
function made(tag,text,kind){var one=document.createElement(tag);
if(text!==undefined)one.textContent=text;if(kind)one.className=kind;return one;}
function age(s){var units=[[86400,'d'],[3600,'h'],[60,'min']];
for(var i=0;i<3;i++)if(s>=2*units[i][0])return Math.round(s/units[i][0])+' '+units[i][1];
return s>=1?Math.round(s)+' s':Math.round(s*1000)+' ms';}
function fill(id,rows){var body=by(id);body.replaceChildren.apply(body,rows);
var section=body.closest('section'),none=section.querySelector('.none');
none.hidden=rows.length>0;section.querySelector('.table').hidden=!rows.length;
section.querySelector('h2 small').textContent=rows.length||'';}
function row(cells,kind){var line=made('tr',undefined,kind);
cells.forEach(function(cell){line.append(cell instanceof Node?cell:made('td',cell[0],cell[1]));});return line;}
function tell(text){by('told').textContent=text;}
function facts(all,passed){
var process=all.process,numbers=process.numbers,list=[];
function add(tamil,english,value){var one=made('li');one.append(made('b',value),made('span',tamil+' '),
made('span',english,'dim'));one.lastChild.lang='en';list.push(one);}
document.title=process.title+' · eTamil';
by('title').textContent=process.title;
add('செயல்முறை','pid',process.pid);
add('ஓடும் நேரம்','up for',age(process.seconds));
add('நினைவகம்','memory',Math.round(process.memory/1048576)+' MiB');
if('requests' in numbers){
var before_=before['#requests'];before['#requests']=numbers.requests;
add('கோரிக்கை/நொடி','requests/s',passed&&before_!==undefined?((numbers.requests-before_)/passed).toFixed(1):'…');
add('கோரிக்கைகள்','requests',numbers.requests);
add('நடப்பவை','in flight',numbers['in flight']);
add('இணைப்புகள்','connections',numbers.connections);}
by('facts').replaceChildren.apply(by('facts'),list);
by('where').textContent=[process.services.join(', '),process.urls.join('  ')].filter(Boolean).join('  ·  ');
by('leaving').hidden=!process.leaving;
var others=by('process');
var pids=all.processes.map(function(one){return one.pid;});
others.parentElement.hidden=pids.length<2;
if(others.dataset.pids!==pids.join()){others.dataset.pids=pids.join();
others.replaceChildren.apply(others,pids.map(function(pid){var one=made('option',pid);one.value=pid;return one;}));
others.value=process.pid;}}
function ordered(list){
var below={},known={},found=[];
list.forEach(function(one){known[one.path]=true;});
list.forEach(function(one){var parent=one.path.slice(0,one.path.lastIndexOf('/'));
var key=known[parent]?parent:'';(below[key]=below[key]||[]).push(one);});
function walk(key){(below[key]||[]).forEach(function(one){found.push(one);walk(one.path);});}
walk('');return found;}
function actors(all,passed){
var words=by('find').value.normalize('NFC').toLowerCase().split(/\s+/),now={},rows=[];
ordered(all.tree.actors).forEach(function(one){
var rate=passed&&one.path in before?(one.handled-before[one.path])/passed:0;now[one.path]=one.handled;
var text=one.path.toLowerCase();
if(!words.every(function(word){return text.indexOf(word)>=0;}))return;
var parts=one.path.split('/'),depth=parts.length-2;
var shown=words.join('')?one.path:new Array(depth+1).join('  ')+parts[parts.length-1];
rows.push(row([[shown,'path'],[one.kind],[one.state],[rate?rate.toFixed(1):'','right'],[one.handled||'','right'],
[one.running||'','right'],[one.waiting||'','right'],['oldest' in one?age(one.oldest):'','right'],
[one.failed||'','right'],[one.restarts||'','right']],one.state==='running'?'':'bad'));});
var requests=before['#requests'];before=now;before['#requests']=requests;
fill('actors',rows);
by('more').hidden=!all.tree.more;by('more').textContent='+ '+all.tree.more;}
function deal(what,id){
fetch('dead?do='+what+'&id='+encodeURIComponent(id)+pid('&'),{method:'POST',headers:{'X-Observer':'1'}})
.then(function(answer){return answer.json();})
.then(function(answer){tell(answer.done?'':(answer.detail||answer.error&&answer.error.tamil||'✗ '+id));look();})
.catch(function(){tell('✗ '+id);});}
function letters(all){
fill('dead',all.dead.letters.map(function(one){
var deeds=made('td');
[['requeue','மீண்டும் / again'],['drop','நீக்கு / drop']].forEach(function(deed){
var button=made('button',deed[1]);button.type='button';
button.addEventListener('click',function(){
if(deed[0]==='requeue'||window.confirm('நீக்கவா? / drop it?\n'+one.id))deal(deed[0],one.id);});
deeds.append(button);});
return row([[one.id],[one.channel||one.job],[age(one.ago),'right'],[one.tries,'right'],
[one.tamil+' ('+one.english+') ['+one.code+']','text'],[one.value||'','text'],deeds]);}));}
function show(all){
var now=performance.now()/1000,passed=last?now-last:0;last=now;
facts(all,passed);actors(all,passed);
fill('jobs',all.jobs.map(function(one){
return row([[one.service],[one.name],[one.when],[one.state],[one.restarts||'','right'],[one.at||'']]);}));
fill('channels',all.channels.map(function(one){
return row([[one.name],[one.kind],[one.transport],[one.waiting,'right'],[one.capacity,'right'],[one.dead||'','right'],
[one.closed?'மூடப்பட்டது / closed':'']],one.dead?'bad':'');}));
letters(all);
fill('events',all.events.map(function(one){
return row([[age(one.ago),'right'],[one.tamil+' / '+one.english],[one.actor],[one.problem||'','text']]);}));}
function pid(mark){var one=by('process').value;return one?mark+'pid='+one:'';}
function look(){
if(busy)return;busy=true;
fetch('facts'+pid('?'),{cache:'no-store'}).then(function(answer){
if(!answer.ok)throw answer;return answer.json();}).then(function(all){
if(gone){tell('');gone=false;before={};last=0;}show(all);
}).catch(function(){gone=true;by('process').replaceChildren();by('process').dataset.pids='';
tell('பதில் இல்லை; மீண்டும் முயல்கிறது / no answer; trying again');
}).finally(function(){busy=false;});}
by('pause').addEventListener('click',function(){paused=!paused;
by('pause').textContent=paused?'தொடர் / go on':'இடைநிறுத்து / pause';});
by('process').addEventListener('change',function(){before={};last=0;look();});
by('find').addEventListener('input',look);
window.setInterval(function(){if(!paused&&!document.hidden)look();},SECONDS*1000);
look();
})();
"""

OBSERVER: Final = """<!doctype html>
<html lang="ta">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>eTamil</title>
<style>{{ style }}</style>
</head>
<body>
{%- macro both(tamil, english) %}{{ tamil }} <span class="dim" lang="en">{{ english }}</span>{% endmacro %}
{%- macro section(id, tamil, english, none_tamil, none_english, heads) %}
<section>
<h2>{{ both(tamil, english) }} <small class="dim"></small></h2>
<p class="none dim" hidden>{{ none_tamil }} <span lang="en">{{ none_english }}</span></p>
<div class="table" hidden><table>
<thead><tr>{% for head in heads %}<th scope="col"{% if head|length > 2 %} class="right"{% endif %}>{{ both(head[0], head[1]) }}</th>{% endfor %}</tr></thead>
<tbody id="{{ id }}"></tbody></table></div>
</section>
{%- endmacro %}
<header>
<h1 id="title">…</h1>
<p class="dim" id="where"></p>
<ul class="facts" id="facts"></ul>
<p id="leaving" hidden>{{ both("நிறுத்தப்படுகிறது", "stopping") }}</p>
<p id="told" role="status"></p>
<div class="line">
<input id="find" type="search" autocomplete="off" aria-label="தேடு / search" placeholder="தேடு / search">
<label hidden>{{ both("செயல்முறை", "process") }} <select id="process"></select></label>
<button type="button" id="pause">இடைநிறுத்து / pause</button>
</div>
<noscript><p>{{ both("இந்தப் பக்கத்துக்கு JavaScript தேவை; முனையத்தில் ‘etamil-actors top’.",
"This page needs JavaScript; in a terminal there is ‘etamil-actors top’.") }}</p></noscript>
</header>
<main>
{{ section("dead", "இறந்த மடல்கள்", "dead letters", "எதுவும் இல்லை.", "There are none.",
[("எண்", "id"), ("எங்கே", "where"), ("முன்பு", "ago", 1), ("முயற்சிகள்", "tries", 1), ("காரணம்", "why"), ("மதிப்பு", "value"), ("", "")]) }}
{{ section("events", "அண்மைத் தோல்விகள்", "latest failures", "எதுவும் இல்லை.", "There are none.",
[("முன்பு", "ago", 1), ("என்ன", "what"), ("இடம்", "where"), ("காரணம்", "why")]) }}
{{ section("actors", "செயலிகள்", "actors", "எதுவும் இல்லை.", "There are none.",
[("இடம்", "path"), ("வகை", "kind"), ("நிலை", "state"), ("வேகம்/s", "rate", 1), ("கையாண்டவை", "handled", 1), ("நடப்பவை", "running", 1), ("காத்திருப்பு", "waiting", 1), ("பழையது", "oldest", 1), ("தோல்விகள்", "failed", 1), ("மறுதொடக்கம்", "restarts", 1)]) }}
<p id="more" class="dim" hidden></p>
{{ section("jobs", "பணிகள்", "jobs", "எதுவும் இல்லை.", "There are none.",
[("சேவை", "service"), ("பணி", "job"), ("எப்போது", "when"), ("நிலை", "state"), ("மறுதொடக்கம்", "restarts", 1), ("இப்போது", "at")]) }}
{{ section("channels", "சேனல்கள்", "channels", "எதுவும் இல்லை.", "There are none.",
[("பெயர்", "name"), ("வகை", "kind"), ("ஊடகம்", "transport"), ("காத்திருப்பு", "waiting", 1), ("கொள்ளளவு", "capacity", 1), ("இறந்தவை", "dead", 1), ("", "")]) }}
</main>
<script>{{ script }}</script>
</body>
</html>
"""

POLICY: Final = policy(STYLE, SCRIPT, "connect-src 'self'; ")
"""It asks nobody but its own server."""
