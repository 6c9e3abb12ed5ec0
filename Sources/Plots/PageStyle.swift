extension Theme {
    /// The style sheet of the page.
    static let page = """
        :root{\(light)color-scheme:light dark}
        @media(prefers-color-scheme:dark){:root{\(dark)}.wall img,.ramp{filter:brightness(.9)}}
        *{box-sizing:border-box}
        html{-webkit-text-size-adjust:100%}
        body{margin:0;background:var(--back);color:var(--ink);font:16px/1.55 \(font)}
        main{max-width:960px;margin:0 auto;padding:40px 24px 64px}
        header{margin-bottom:28px}
        h1{font-size:1.9rem;line-height:1.2;letter-spacing:-.015em;margin:0 0 6px;overflow-wrap:anywhere}
        h2{font-size:1.2rem;letter-spacing:-.005em;margin:44px 0 14px;padding-top:18px;border-top:1px solid var(--line)}
        h3{font-size:.98rem;margin:0 0 12px}
        p{margin:0 0 14px;max-width:70ch;overflow-wrap:break-word}
        .muted,.subtitle,figcaption{color:var(--muted)}
        .subtitle{font-size:1.02rem;margin:0}
        figcaption{font-size:.82rem;margin-top:12px}
        .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(160px,1fr));gap:12px;margin:0 0 22px}
        .tile,.card{background:var(--paper);border:1px solid var(--line);border-radius:10px}
        .tile{padding:14px 16px}
        .tile dt{font-size:.82rem;color:var(--muted)}
        .tile dd{margin:0}
        .tile .value{font-size:1.65rem;line-height:1.3;font-weight:600;letter-spacing:-.02em;\
        font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
        .tile .note{font-size:.82rem;line-height:1.4;color:var(--muted)}
        .card{margin:0 0 18px;padding:8px;overflow:hidden}
        .card.images{padding:22px 24px}
        .scroll{overflow-x:auto}
        .chart svg.dp{display:block;width:100%;height:auto;min-width:560px}
        details{font-size:.85rem;margin:2px 16px 8px}
        summary{cursor:pointer;color:var(--muted);width:max-content;padding:4px 0}
        summary:hover{color:var(--ink)}
        details .scroll{max-height:340px;overflow:auto;margin-top:6px}
        table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums}
        .plain{padding:10px 16px}
        .plain table{width:100%}
        th,td{text-align:left;padding:5px 18px 5px 0;border-bottom:1px solid var(--grid);vertical-align:top}
        th{font-weight:600;color:var(--muted);white-space:nowrap}
        th.n,td.n{text-align:right;white-space:nowrap}
        th:last-child,td:last-child{padding-right:2px}
        tbody tr:last-child td{border-bottom:0}
        .notice{border-left:4px solid var(--s0);background:var(--paper);border-radius:4px;padding:10px 16px;\
        margin:0 0 18px;max-width:none}
        .notice.warning{border-color:var(--s1)}
        .notice b{margin-right:.5em}
        .wall{display:grid;gap:8px}
        .wall img{display:block;width:100%;height:auto;image-rendering:pixelated;border-radius:2px}
        .wall span{display:block;font-size:.7rem;line-height:1.5;color:var(--muted);text-align:center;overflow:hidden;\
        text-overflow:ellipsis;white-space:nowrap;font-variant-numeric:tabular-nums}
        .ramp{display:inline-block;width:84px;height:10px;vertical-align:-1px;margin-right:6px;border-radius:2px;\
        background:linear-gradient(90deg,#054896,#fafafa,#b21220)}
        @media(max-width:560px){main{padding:24px 14px 40px}h1{font-size:1.5rem}.wall{gap:4px}.wall span{display:none}}
        @media print{main{max-width:none;padding:0}.card,.tile,.notice{break-inside:avoid}}
        """
}
