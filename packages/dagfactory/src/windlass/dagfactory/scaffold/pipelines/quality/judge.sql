-- The share of landed rows that was good enough. A run with less of them fails here.
create temporary table share on commit drop as
select
    (select count(*) from @@schema@@.published_order)::numeric
    / greatest(1, (select count(*) from @@schema@@.landed_order)) as published,
    %(least_share)s::numeric as least;

do $$
begin
    if (select published < least from share) then
        raise exception using
            message = 'too few rows were good enough to be published',
            hint = 'The rejected ones, with their reasons, are in ops.rejected_row.';
    end if;
end
$$;

select published, least from share;
